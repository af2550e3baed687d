//! The lease on a range of the table: who may write, and from where to where.

use postgres::{Error, Row, Session, query};

use crate::record::blocks_of;

/// The span that is being walked.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) backfill: i64,
    pub(crate) unit: i64,
    pub(crate) range: i64,
    pub(crate) pass: i32,
    pub(crate) token: i64,
    pub(crate) hi: Option<Vec<String>>,
    pub(crate) done: bool,
    pub(crate) batch_size: i64,
    pub(crate) scan_size: i64,
    /// Whether the pass goes over blocks, and how far they are handed out.
    pub(crate) over_blocks: bool,
    pub(crate) block: i64,
}

/// Takes the lease on the latest range of a backfill. The token goes up: whoever had it before can write no more. Who
/// `held` a lease gets one again only if nobody has taken it over since; otherwise `None`.
pub(crate) async fn claim(
    session: &mut Session,
    ledger: &str,
    (backfill, deployment): (i64, i64),
    held: Option<&Claim>,
) -> Result<Option<Claim>, Error> {
    let quoted = sql::identifier(ledger);
    let row = query(&format!(
        "WITH c AS MATERIALIZED (SELECT r.id FROM {quoted}.backfill_ranges r JOIN {quoted}.backfill_units u ON u.id = r.unit_id \
           WHERE u.backfill_id = $1 AND r.parent IS NULL ORDER BY r.pass DESC LIMIT 1 FOR UPDATE OF r) \
         UPDATE {quoted}.backfill_ranges r SET lease_token = r.lease_token + 1, lease_owner = $2, \
           lease_expires_at = clock_timestamp() + interval '60 seconds', \
           take_overs = r.take_overs + (r.state = 'leased')::int, \
           state = CASE r.state WHEN 'done' THEN 'done' ELSE 'leased' END \
         FROM c WHERE r.id = c.id AND ($3::int8 IS NULL OR r.lease_token = 0 OR (r.id = $4 AND r.lease_token = $3)) \
         RETURNING r.unit_id, r.id, r.pass, r.lease_token, r.hi, r.state = 'done', r.batch_size, r.scan_size, r.walk = 'blocks', coalesce(r.block, 0)"
    ))
    .bind(backfill)
    .bind(format!("deployment {deployment}, pid {}", session.pid()))
    .bind(held.map(|held| held.token))
    .bind(held.map(|held| held.range))
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    query(&format!(
        "UPDATE {quoted}.backfills SET state = 'running', sqlstate = NULL, error = NULL, finished_at = NULL, \
         deployment = $2, updated_at = clock_timestamp() WHERE id = $1"
    ))
    .bind(backfill)
    .bind(deployment)
    .execute(session.connection())
    .await?;
    Ok(Some(Claim {
        backfill,
        unit: row.try_get(0)?,
        range: row.try_get(1)?,
        pass: row.try_get(2)?,
        token: row.try_get(3)?,
        hi: row.try_get(4)?,
        done: row.try_get(5)?,
        batch_size: row.try_get(6)?,
        scan_size: row.try_get(7)?,
        over_blocks: row.try_get(8)?,
        block: row.try_get(9)?,
    }))
}

/// Adds the range of another pass, which starts behind `lo`. The keys that are left over from the pass before are
/// remembered: one that is left over twice keeps matching.
pub(crate) async fn next_pass(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    (lo, hi): (Option<&[String]>, Option<&[String]>),
    left_over: &[String],
    (blocks, oid): (bool, i64),
) -> Result<bool, Error> {
    let ledger = sql::identifier(ledger);
    let added = query(&format!(
        "WITH o AS (UPDATE {ledger}.backfill_ranges SET left_over = $4 WHERE id = $5 AND lease_token = $6 RETURNING unit_id, batch_size, scan_size) \
         INSERT INTO {ledger}.backfill_ranges (unit_id, pass, lo, cursor, hi, state, batch_size, scan_size, walk, block, end_block, relfilenode) \
         SELECT o.unit_id, $1 + 1, $2, $2, $3, 'ready', o.batch_size, o.scan_size, {} FROM o",
        blocks_of("$7", "$8")
    ))
    .bind(claim.pass)
    .bind(lo.map(<[String]>::to_vec))
    .bind(hi.map(<[String]>::to_vec))
    .bind(left_over.to_vec())
    .bind(claim.range)
    .bind(claim.token)
    .bind(blocks)
    .bind(oid)
    .execute(session.connection())
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Rows that kept matching in the pass of this claim, by their own RETURNING, and the keys that were left over before it.
/// `None`: the lease is no longer ours.
pub(crate) async fn kept(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
) -> Result<Option<(u64, Vec<String>)>, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT r.rows_unchanged, coalesce(p.left_over, '{{}}') FROM {ledger}.backfill_ranges r \
         LEFT JOIN {ledger}.backfill_ranges p ON p.unit_id = r.unit_id AND p.parent IS NULL AND p.pass = r.pass - 1 \
         WHERE r.id = $1 AND r.lease_token = $2"
    ))
    .bind(claim.range)
    .bind(claim.token)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => Some((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get(1)?)),
        None => None,
    })
}

/// Gives the lease back, with the size that the next claim starts from and the reason for stopping.
pub(crate) async fn release(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    error: Option<&str>,
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH r AS (UPDATE {ledger}.backfill_ranges SET state = CASE state WHEN 'leased' THEN 'ready' ELSE state END, \
           lease_owner = NULL, lease_expires_at = NULL WHERE id = $1 AND lease_token = $2 RETURNING 1) \
         UPDATE {ledger}.backfills SET error = coalesce($4, error), updated_at = clock_timestamp() \
         WHERE id = $3 AND EXISTS (SELECT FROM r)"
    ))
    .bind(claim.range)
    .bind(claim.token)
    .bind(claim.backfill)
    .bind(error)
    .execute(session.connection())
    .await?;
    Ok(())
}
