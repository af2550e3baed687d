//! One batch: a stripe of a chunk, with the cursor of its range, in one transaction.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::chunk::Place;
use crate::fence;
use crate::names::Over;
use crate::range::Range;
use crate::settings::Settings;
use crate::strides::Strides;

/// How long a batch that has not locked its rows first waits for somebody else's. Less than any sensible
/// deadlock_timeout: where we and the application want each other's rows, it is we who give way.
const COURTESY: Duration = Duration::from_millis(10);

/// What came of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stripe {
    /// Committed.
    Done(Done),
    /// Rows that were done would match again: nothing was changed.
    Unchanged,
    /// The lease is somebody else's, or something else is asked for by now: nothing was changed.
    Held,
    /// More rows of a range of keys match than may be in a batch: nothing was changed.
    Crowded,
    /// The table is stored anew, its blocks are others: nothing was changed.
    Rewritten,
}

/// What a committed batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) matched: u64,
    pub(crate) done: u64,
    pub(crate) skipped: u64,
    /// It took as many rows as it may: there are more.
    pub(crate) full: bool,
    /// The range is at its end.
    pub(crate) last: bool,
}

/// What a batch is made with.
pub(crate) struct Terms<'a> {
    pub(crate) strides: &'a Strides,
    pub(crate) settings: &'a Settings,
    pub(crate) ledger: &'a str,
    pub(crate) backfill: i64,
    pub(crate) revision: i32,
    pub(crate) unit: i64,
    pub(crate) oid: i64,
    /// Whether to do without locking the rows first.
    pub(crate) bold: bool,
    pub(crate) limit: i64,
    /// Rows that are expected.
    pub(crate) rows: i64,
}

/// Runs the batch at `place`. An error leaves the transaction open.
pub(crate) async fn run(
    session: &mut Session,
    terms: &Terms<'_>,
    range: &Range,
    place: Place,
) -> Result<Stripe, Error> {
    let settings = terms.settings;
    if !begin(session, terms, range).await? {
        return Ok(Stripe::Held);
    }
    let (block, step) = place.next();
    let over_keys = terms.strides.over == Over::Keys;
    let limit = match over_keys {
        _ if terms.bold => i64::MAX,
        // A striped range has no more keys than a batch may have rows.
        true if place.chunk.stripes > 1 => i64::MAX,
        // One more tells that there are too many.
        true => terms.limit + 1,
        false => terms.limit,
    };
    let size = if over_keys { range.size } else { place.chunk.blocks };
    let row = query(&terms.strides.text(range, place, terms.bold))
        .bind(range.id)
        .bind(range.token)
        .bind(block)
        .bind(step)
        .bind(limit)
        .bind(terms.oid)
        .bind(range.relfilenode)
        .bind(settings.lease.as_secs_f64())
        .bind(terms.rows)
        .bind(size)
        .bind(terms.unit)
        .bind(place.chunk.stripes)
        .fetch_optional(session.connection())
        .await?;
    let Some(row) = row else {
        session.run("ROLLBACK").await?;
        return Ok(Stripe::Rewritten);
    };
    let count = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    let (matched, done, unchanged, skipped) = (count(0)?, count(1)?, count(2)?, count(4)?);
    if unchanged > 0 && !over_keys {
        session.run("ROLLBACK").await?;
        return Ok(Stripe::Unchanged);
    }
    let full = matched >= limit.unsigned_abs();
    if full && over_keys {
        session.run("ROLLBACK").await?;
        return Ok(Stripe::Crowded);
    }
    let last = row.try_get(3)?;
    session.run("COMMIT").await?;
    Ok(Stripe::Done(Done { matched, done, skipped, full, last }))
}

/// Opens the transaction with the fence: every transaction that writes starts with it. `false`: the lease is somebody
/// else's, or something else is asked for.
async fn begin(session: &mut Session, terms: &Terms<'_>, range: &Range) -> Result<bool, Error> {
    let (settings, ledger) = (terms.settings, sql::identifier(terms.ledger));
    // Rows that are locked first are never waited for. What is waited for is the table, with nothing held; or what a
    // trigger or a unique key of ours runs into, with rows held: for a short time.
    let patience = if terms.bold { COURTESY } else { settings.target * 10 }.min(settings.lock_timeout);
    let opening = fence::opening(session, settings, patience);
    // One answer for all of it: the one row that is locked, or none.
    let held = session
        .run(&format!(
            "{opening}; SELECT 1 FROM {ledger}.backfill_ranges r JOIN {ledger}.backfills b ON b.id = {} AND b.revision = {} \
               AND b.wanted = 'run' WHERE r.id = {} AND r.lease_token = {} AND r.state = 'leased' AND r.block = {} AND r.step = {} FOR UPDATE OF r",
            terms.backfill, terms.revision, range.id, range.token, range.block, range.step
        ))
        .await?;
    if held != 1 {
        session.run("ROLLBACK").await?;
    }
    Ok(held == 1)
}

/// Instead of a batch that failed: notes its rows and goes on behind them. The notes, and whether the range is at its
/// end; `None` if the lease is somebody else's, or something else is asked for.
pub(crate) async fn note(
    session: &mut Session,
    terms: &Terms<'_>,
    range: &Range,
    place: Place,
) -> Result<Option<(Vec<i64>, bool)>, Error> {
    if !begin(session, terms, range).await? {
        return Ok(None);
    }
    let (block, step) = place.next();
    let row = query(&terms.strides.note(range, place))
        .bind(range.id)
        .bind(range.token)
        .bind(block)
        .bind(step)
        .bind(terms.unit)
        .fetch_one(session.connection())
        .await?;
    let noted = (row.try_get(0)?, row.try_get(1)?);
    session.run("COMMIT").await?;
    Ok(Some(noted))
}
