//! Rows that cannot be done: found by bisection, set aside with what the server said about each, so that their
//! neighbours are done all the same.

use postgres::{Error, Row, Session, query};

use crate::failure::{Ended, Remedy, remedy};
use crate::fence;
use crate::outcome::grouped;
use crate::settings::Settings;
use crate::sweep::Sweep;

/// What came of notes that were visited.
#[derive(Debug)]
pub(crate) enum Visited {
    /// So many are settled: done, gone, or set aside.
    Settled(u64),
    /// The lease is no longer ours.
    Lost,
    /// More rows are set aside than may be.
    Beyond(Ended),
}

/// Rows that may be set aside, of so many that match.
pub(crate) fn limit(settings: &Settings, estimated_rows: u64) -> u64 {
    let share = (estimated_rows as f64 * settings.quarantine.max_ratio).ceil().max(1.0);
    settings.quarantine.max_rows.min(share as u64)
}

impl Sweep<'_> {
    /// Visits notes whose rows are free. A row that fails is closed in on and set aside.
    pub(crate) async fn closely(&self, session: &mut Session, ids: Vec<i64>) -> Result<Visited, Error> {
        let (mut rest, mut settled) = (vec![ids], 0);
        while let Some(mut ids) = rest.pop() {
            // While others' rows are held, nobody is waited for long.
            let patience = self.settings.lock_timeout.min(self.settings.target * 10);
            let visit = self.visit(session, ids.clone(), &self.texts.sweep, patience);
            let error = match visit.await {
                Ok(Some(now)) => {
                    settled += now;
                    continue;
                }
                Ok(None) => return Ok(Visited::Lost),
                Err(error) if self.stop.is_cancelled() => return Err(error),
                Err(error) if matches!(remedy(&error), Remedy::Bisect | Remedy::Shrink | Remedy::GiveWay) => {
                    error
                }
                Err(error) => return Err(error),
            };
            session.run("ROLLBACK").await?;
            if ids.len() > 1 {
                rest.push(ids.split_off(ids.len() / 2));
                rest.push(ids);
                continue;
            }
            if remedy(&error) == Remedy::GiveWay {
                // It stays noted, to be waited for at the end.
                continue;
            }
            let Some(aside) = self.set_aside(session, ids.first().copied(), &error).await? else {
                return Ok(Visited::Lost);
            };
            settled += 1;
            if aside > self.quarantined {
                let (count, most) = (grouped(aside), grouped(self.quarantined));
                let reason = format!("{count} rows cannot be done, {most} may be; the last one: {error}");
                let sqlstate = error.sqlstate().map(str::to_owned);
                let place = of_backfill(session, self.ledger, self.claim.backfill).await?.map(|told| told.1);
                let reason = place.map_or(reason.clone(), |place| format!("{reason}, at {place}"));
                return Ok(Visited::Beyond(Ended::Failed { sqlstate, reason }));
            }
        }
        Ok(Visited::Settled(settled))
    }

    /// One transaction: the note goes, the row's key stays with the error. How many are set aside now.
    async fn set_aside(
        &self,
        session: &mut Session,
        id: Option<i64>,
        error: &Error,
    ) -> Result<Option<u64>, Error> {
        let opening = fence::opening(session, self.settings, self.settings.lock_timeout);
        session.run(&opening).await?;
        if !fence::lock(session, self.claim, self.ledger).await? {
            session.run("ROLLBACK").await?;
            return Ok(None);
        }
        let ledger = sql::identifier(self.ledger);
        query(&format!(
            "WITH n AS (DELETE FROM {ledger}.backfill_skipped WHERE id = $1 RETURNING unit_id, key) \
             INSERT INTO {ledger}.backfill_quarantine AS q (unit_id, key, sqlstate, message, constraint_name) \
             SELECT unit_id, key, $2, $3, $4 FROM n ON CONFLICT (unit_id, key) DO UPDATE SET sqlstate = excluded.sqlstate, \
               message = excluded.message, constraint_name = excluded.constraint_name, resolved_at = NULL, resolution = NULL, \
               resolved_by = NULL, reason = NULL, since = clock_timestamp()"
        ))
        .bind(id)
        .bind(error.sqlstate().map(str::to_owned))
        .bind(error.to_string())
        .bind(error.server().and_then(|report| report.constraint.clone()))
        .execute(session.connection())
        .await?;
        let count = open(session, self.ledger, self.claim.unit).await?;
        session.run("COMMIT").await?;
        Ok(Some(count))
    }
}

/// How many rows of a unit are set aside.
async fn open(session: &mut Session, ledger: &str, unit: i64) -> Result<u64, Error> {
    let row = query(&format!(
        "SELECT count(*) FROM {}.backfill_quarantine WHERE unit_id = $1 AND resolved_at IS NULL",
        sql::identifier(ledger)
    ))
    .bind(unit)
    .fetch_one(session.connection())
    .await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}

/// How many rows of a backfill are set aside and not accepted, and the last of them.
pub(crate) async fn of_backfill(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
) -> Result<Option<(u64, String)>, Error> {
    told(session, ledger, "u.backfill_id", backfill).await
}

/// The same of a unit.
pub(crate) async fn of_unit(
    session: &mut Session,
    ledger: &str,
    unit: i64,
) -> Result<Option<(u64, String)>, Error> {
    told(session, ledger, "u.id", unit).await
}

async fn told(
    session: &mut Session,
    ledger: &str,
    of: &str,
    id: i64,
) -> Result<Option<(u64, String)>, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT count(*) OVER (), pg_catalog.array_to_string(q.key, ', '), q.message FROM {ledger}.backfill_quarantine q \
         JOIN {ledger}.backfill_units u ON u.id = q.unit_id WHERE {of} = $1 AND q.resolved_at IS NULL \
         ORDER BY q.id DESC LIMIT 1"
    ))
    .bind(id)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (key, message): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    let what = format!("the row with the key ({key}): {message}");
    Ok(Some((row.try_get::<i64, _>(0)?.unsigned_abs(), what)))
}

/// Rows that were set aside are tried again, once in a run: they become notes. How many.
pub(crate) async fn retry(session: &mut Session, ledger: &str, backfill: i64) -> Result<u64, Error> {
    let ledger = sql::identifier(ledger);
    let noted = query(&format!(
        "WITH q AS (DELETE FROM {ledger}.backfill_quarantine q USING {ledger}.backfill_units u \
           WHERE u.id = q.unit_id AND u.backfill_id = $1 AND q.resolved_at IS NULL RETURNING q.unit_id, q.key) \
         INSERT INTO {ledger}.backfill_skipped (unit_id, key) SELECT unit_id, key FROM q ON CONFLICT DO NOTHING"
    ))
    .bind(backfill)
    .execute(session.connection())
    .await?;
    Ok(noted.rows_affected())
}
