//! One batch of the walk over blocks: a stripe of a chunk, with the cursor of its range, in one transaction.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::batch;
use crate::blocks::{Blocks, Place};
use crate::range::Range;
use crate::settings::Settings;

/// How long a batch that has not locked its rows first waits for somebody else's. Less than any sensible
/// deadlock_timeout: where we and the application want each other's rows, it is we who give way.
const COURTESY: Duration = Duration::from_millis(10);

/// What came of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stripe {
    /// Committed.
    Done {
        matched: u64,
        done: u64,
        /// It took as many rows as it may: there are more.
        full: bool,
        /// The range is at its end.
        last: bool,
    },
    /// Rows that were done would match again: nothing was changed.
    Unchanged,
    /// The lease is somebody else's: nothing was changed.
    Lost,
    /// The table is stored anew, its blocks are others: nothing was changed.
    Rewritten,
}

/// What a batch is made with.
pub(crate) struct Terms<'a> {
    pub(crate) blocks: &'a Blocks,
    pub(crate) settings: &'a Settings,
    pub(crate) ledger: &'a str,
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
        return Ok(Stripe::Lost);
    }
    let (block, stripe) = place.next();
    let limit = if terms.bold { i64::MAX } else { terms.limit };
    let row = query(&terms.blocks.text(place, terms.bold))
        .bind(range.id)
        .bind(range.token)
        .bind(block)
        .bind(stripe)
        .bind(limit)
        .bind(terms.oid)
        .bind(range.relfilenode)
        .bind(settings.lease.as_secs_f64())
        .bind(terms.rows)
        .bind(place.chunk.blocks)
        .fetch_optional(session.connection())
        .await?;
    let Some(row) = row else {
        session.run("ROLLBACK").await?;
        return Ok(Stripe::Rewritten);
    };
    let count = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    let (matched, done, unchanged) = (count(0)?, count(1)?, count(2)?);
    if unchanged > 0 {
        session.run("ROLLBACK").await?;
        return Ok(Stripe::Unchanged);
    }
    let last = row.try_get(3)?;
    session.run("COMMIT").await?;
    Ok(Stripe::Done { matched, done, full: matched >= limit.unsigned_abs(), last })
}

/// Opens the transaction with the fence: every transaction that writes starts with it. `false`: the lease is somebody
/// else's.
async fn begin(session: &mut Session, terms: &Terms<'_>, range: &Range) -> Result<bool, Error> {
    let (settings, ledger) = (terms.settings, sql::identifier(terms.ledger));
    // Rows that are locked first are never waited for, so that what is waited for is the table, with nothing held.
    let patience = if terms.bold { COURTESY.min(settings.lock_timeout) } else { settings.lock_timeout };
    let opening = batch::opening(session, settings, patience);
    // One answer for all of it: the one row that is locked, or none.
    let held = session
        .run(&format!(
            "{opening}; SELECT 1 FROM {ledger}.backfill_ranges r WHERE r.id = {} AND r.lease_token = {} \
               AND r.block = {} AND r.step = {} FOR UPDATE",
            range.id, range.token, range.block, range.step
        ))
        .await?;
    if held != 1 {
        session.run("ROLLBACK").await?;
    }
    Ok(held == 1)
}

/// Instead of a batch that failed: notes its rows and goes on behind them. The notes, and whether the range is at its
/// end; `None` if the lease is somebody else's.
pub(crate) async fn note(
    session: &mut Session,
    terms: &Terms<'_>,
    range: &Range,
    place: Place,
    unit: i64,
) -> Result<Option<(Vec<i64>, bool)>, Error> {
    if !begin(session, terms, range).await? {
        return Ok(None);
    }
    let (block, step) = place.next();
    let row = query(&terms.blocks.note(place))
        .bind(range.id)
        .bind(range.token)
        .bind(block)
        .bind(step)
        .bind(unit)
        .fetch_one(session.connection())
        .await?;
    let noted = (row.try_get(0)?, row.try_get(1)?);
    session.run("COMMIT").await?;
    Ok(Some(noted))
}
