//! Where backfills stand, for people and programs: read only, from the ledger and the leases.

use std::collections::HashMap;

use postgres::{Error, Row, Session, query};
use serde::Serialize;

use crate::claim::LAPSED;
use crate::definition::{Definition, Definitions};

/// Where one backfill stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Standing {
    /// File name without ending.
    pub id: String,
    /// The table whose rows are walked, as the statement names it.
    pub table: String,
    /// `new`, `running`, `paused`, `throttled`, `stopped`, `failed`, `cancelled`, `done`, or `changed` where the file is
    /// not what was run. Never `running` without somebody who holds a lease.
    pub state: String,
    /// Rows done.
    pub rows: u64,
    /// Rows that matched at the start, by a sample.
    pub estimated_rows: u64,
    /// Never 100 before it is proven.
    pub percent: u8,
    /// Of what is asked of it and of its speed: give it back with a change, and somebody else's is not overwritten.
    pub revision: i32,
    /// What is asked that is not the file's: target, pause, duty, workers.
    pub speed: Option<String>,
    /// Who is at work now.
    pub workers: Vec<String>,
    /// `free`, `slow` or `pause`: what the server's state leaves to it.
    pub level: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Rows noted because others held them.
    pub skipped: u64,
    /// Rows that could not be done, and are not accepted.
    pub quarantined: u64,
    /// Ranges that were taken over from workers that had died.
    pub take_overs: u64,
    /// Why it stopped or failed.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Option<String>,
    /// When it was proven complete.
    pub verified_at: Option<String>,
    /// Its partitions or tenants; empty where it is one table.
    pub units: Vec<UnitStanding>,
}

/// Where a part of a backfill stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct UnitStanding {
    /// The partition or tenant; empty for what belongs to none.
    pub name: String,
    /// `running`, `done`, `failed`, or `gone` for a partition that is none any more.
    pub state: String,
    /// Rows done.
    pub rows: u64,
    /// Rows in it, about.
    pub estimated_rows: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// Where the release's backfills stand, in the order of work.
pub async fn standing(
    session: &mut Session,
    definitions: &Definitions,
    ledger: &str,
) -> Result<Vec<Standing>, Error> {
    let mut known =
        if exists(session, ledger).await? { known(session, ledger).await? } else { HashMap::new() };
    let all = definitions.items().iter().map(|definition| match known.remove(&definition.id) {
        Some((standing, def_sha256)) => {
            let state = if def_sha256 == definition.def_sha256 { standing.state } else { "changed".into() };
            Standing { state, table: definition.shown_table(), ..standing }
        }
        None => new(definition),
    });
    Ok(all.collect())
}

/// Whether the ledger has this version's tables.
async fn exists(session: &mut Session, ledger: &str) -> Result<bool, Error> {
    let row = query("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(sql::qualified(ledger, "backfill_journal"))
        .fetch_one(session.connection())
        .await?;
    Ok(row.try_get(0)?)
}

fn new(definition: &Definition) -> Standing {
    Standing {
        id: definition.id.clone(),
        table: definition.shown_table(),
        state: "new".into(),
        rows: 0,
        estimated_rows: 0,
        percent: 0,
        revision: 0,
        speed: None,
        workers: Vec::new(),
        level: "free".into(),
        reasons: Vec::new(),
        skipped: 0,
        quarantined: 0,
        take_overs: 0,
        error: None,
        started_at: None,
        verified_at: None,
        units: Vec::new(),
    }
}

async fn known(session: &mut Session, ledger: &str) -> Result<HashMap<String, (Standing, String)>, Error> {
    let ledger = sql::identifier(ledger);
    let rows = session
        .all(&format!(
            "WITH b AS (SELECT DISTINCT ON (name) * FROM {ledger}.backfills ORDER BY name, generation DESC) \
             SELECT b.name, b.def_sha256, b.state, b.wanted, b.estimated_rows, b.revision, b.level, b.reasons, b.error, \
               to_char(b.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
               to_char(b.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
               nullif(pg_catalog.concat_ws(', ', 'target ' || b.target_ms || 'ms', 'pause ' || b.pause_ms || 'ms', 'duty ' || b.duty * 100 || '%', 'workers ' || b.workers), ''), \
               coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r JOIN {ledger}.backfill_units u ON u.id = r.unit_id WHERE u.backfill_id = b.id), 0)::int8, \
               coalesce((SELECT sum(r.take_overs) FROM {ledger}.backfill_ranges r JOIN {ledger}.backfill_units u ON u.id = r.unit_id WHERE u.backfill_id = b.id), 0)::int8, \
               (SELECT count(*) FROM {ledger}.backfill_skipped k JOIN {ledger}.backfill_units u ON u.id = k.unit_id WHERE u.backfill_id = b.id), \
               (SELECT count(*) FROM {ledger}.backfill_quarantine q JOIN {ledger}.backfill_units u ON u.id = q.unit_id WHERE u.backfill_id = b.id AND q.resolved_at IS NULL), \
               coalesce((SELECT pg_catalog.array_agg(DISTINCT r.lease_owner) FROM {ledger}.backfill_ranges r JOIN {ledger}.backfill_units u ON u.id = r.unit_id \
                 WHERE u.backfill_id = b.id AND r.lease_owner IS NOT NULL AND r.state <> 'done' AND NOT {LAPSED}), '{{}}'), \
               coalesce(b.observed_at > clock_timestamp() - interval '30 seconds', false), b.id FROM b"
        ))
        .await?;
    let mut all = HashMap::new();
    for row in rows {
        let (state, wanted): (String, String) = (row.try_get(2)?, row.try_get(3)?);
        let (rows, estimated_rows): (i64, i64) = (row.try_get(12)?, row.try_get(4)?);
        let workers: Vec<String> = row.try_get(16)?;
        let fresh: bool = row.try_get(17)?;
        // Who is at work between two ranges, or held up with nothing in hand, is seen by what it observes.
        let at_work = !workers.is_empty() || fresh;
        let level: String = row.try_get(6)?;
        let (level, reasons) = if at_work { (level, row.try_get(7)?) } else { ("free".into(), Vec::new()) };
        let state = match (state.as_str(), wanted.as_str()) {
            ("done" | "failed" | "cancelled", _) => state,
            (_, "pause") => "paused".into(),
            _ if at_work && level == "pause" => "throttled".into(),
            _ if !workers.is_empty() => "running".into(),
            _ => "stopped".into(),
        };
        let done = state == "done";
        let share = rows.min(estimated_rows).saturating_mul(100).checked_div(estimated_rows).unwrap_or(0);
        let name: String = row.try_get(0)?;
        let standing = Standing {
            id: name.clone(),
            table: String::new(),
            percent: if done { 100 } else { u8::try_from(share.clamp(0, 99)).unwrap_or(99) },
            state,
            rows: rows.unsigned_abs(),
            estimated_rows: estimated_rows.unsigned_abs(),
            revision: row.try_get(5)?,
            speed: row.try_get(11)?,
            workers,
            level,
            reasons,
            skipped: row.try_get::<i64, _>(14)?.unsigned_abs(),
            quarantined: row.try_get::<i64, _>(15)?.unsigned_abs(),
            take_overs: row.try_get::<i64, _>(13)?.unsigned_abs(),
            error: row.try_get::<Option<String>, _>(8)?.filter(|_| !done),
            started_at: row.try_get(9)?,
            verified_at: row.try_get(10)?,
            units: units(session, &ledger, row.try_get(18)?).await?,
        };
        all.insert(name, (standing, row.try_get(1)?));
    }
    Ok(all)
}

async fn units(session: &mut Session, ledger: &str, backfill: i64) -> Result<Vec<UnitStanding>, Error> {
    let rows = query(&format!(
        "SELECT u.name, u.state, coalesce(u.estimated_rows, 0), u.error, \
           coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r WHERE r.unit_id = u.id), 0)::int8 \
         FROM {ledger}.backfill_units u WHERE u.backfill_id = $1 AND EXISTS (SELECT FROM {ledger}.backfill_units k \
           WHERE k.backfill_id = $1 AND k.kind <> 'table') ORDER BY u.position, u.id"
    ))
    .bind(backfill)
    .fetch_all(session.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(UnitStanding {
                name: row.try_get(0)?,
                state: row.try_get(1)?,
                estimated_rows: row.try_get::<i64, _>(2)?.unsigned_abs(),
                error: row.try_get(3)?,
                rows: row.try_get::<i64, _>(4)?.unsigned_abs(),
            })
        })
        .collect()
}
