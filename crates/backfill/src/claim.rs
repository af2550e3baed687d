//! A pass over a unit: who may sweep and prove it. Those who walk it need no more than the lease on a range of it.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::names::Over;

/// A pass, and the lease on what only one may do with it.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) backfill: i64,
    pub(crate) unit: i64,
    pub(crate) range: i64,
    pub(crate) token: i64,
}

/// The latest pass over a unit, as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) id: i64,
    pub(crate) number: i32,
    /// How often it was begun anew.
    pub(crate) epoch: i64,
    pub(crate) over: Over,
    /// Where it ends, along the key.
    pub(crate) hi: Option<Vec<String>>,
    /// Whether it is walked to its end.
    pub(crate) is_walked: bool,
}

/// A lease that nobody renews: it has run out on the server's clock, or its session is gone, which is seen sooner.
pub(crate) const LAPSED: &str = "(r.lease_expires_at < clock_timestamp() OR r.lease_expires_at IS NULL OR (r.lease_pid IS NOT NULL AND NOT EXISTS \
     (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = r.lease_pid AND coalesce(a.backend_start = r.lease_started, true))))";

/// What whoever takes a lease writes beside the token. $3 is the owner, $4 the seconds of the lease.
pub(crate) const LEASED: &str = "lease_token = r.lease_token + 1, lease_owner = $3, \
     lease_expires_at = clock_timestamp() + $4::float8 * interval '1 second', lease_pid = pg_catalog.pg_backend_pid(), \
     lease_started = (SELECT a.backend_start FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid())";

/// The latest pass of a unit.
pub(crate) async fn latest(session: &mut Session, ledger: &str, unit: i64) -> Result<Option<Pass>, Error> {
    let row = query(&format!(
        "SELECT id, pass, seq, walk = 'blocks', hi, state = 'done' FROM {}.backfill_ranges \
         WHERE unit_id = $1 AND parent IS NULL ORDER BY pass DESC LIMIT 1",
        sql::identifier(ledger)
    ))
    .bind(unit)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Pass {
        id: row.try_get(0)?,
        number: row.try_get(1)?,
        epoch: row.try_get(2)?,
        over: if row.try_get(3)? { Over::Blocks } else { Over::Keys },
        hi: row.try_get(4)?,
        is_walked: row.try_get(5)?,
    }))
}

/// The first pass of a unit, up to `hi`.
pub(crate) async fn first(
    session: &mut Session,
    ledger: &str,
    unit: i64,
    (hi, over, oid): (Option<&[String]>, Over, i64),
) -> Result<Pass, Error> {
    add(session, ledger, (unit, 1), (None, hi), (over, oid)).await?;
    match latest(session, ledger, unit).await? {
        Some(pass) => Ok(pass),
        None => Err(Error::Protocol("a pass that was just written is not there".into())),
    }
}

/// Adds a pass; whoever is second finds it there.
async fn add(
    session: &mut Session,
    ledger: &str,
    (unit, number): (i64, i32),
    (lo, hi): (Option<&[String]>, Option<&[String]>),
    (over, oid): (Over, i64),
) -> Result<(), Error> {
    query(&format!(
        "INSERT INTO {}.backfill_ranges (unit_id, pass, lo, cursor, hi, state, walk, block, end_block, relfilenode) \
         SELECT $1, $2, $3, $3, $4, CASE WHEN $4::text[] IS NULL THEN 'done' ELSE 'ready' END, \
           CASE WHEN $5::bool THEN 'blocks' ELSE 'keyset' END, 0, \
           CASE WHEN $5::bool THEN pg_catalog.pg_relation_size($6::int8::oid) / current_setting('block_size')::int8 ELSE 1 END, \
           pg_catalog.pg_relation_filenode($6::int8::oid)::int8 \
         ON CONFLICT (unit_id, pass) WHERE parent IS NULL DO NOTHING",
        sql::identifier(ledger)
    ))
    .bind(unit)
    .bind(number)
    .bind(lo.map(<[String]>::to_vec))
    .bind(hi.map(<[String]>::to_vec))
    .bind(over == Over::Blocks)
    .bind(oid)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Takes the lease on a pass, if nobody else has it: a session's, or this one's own from before.
pub(crate) async fn claim(
    session: &mut Session,
    ledger: &str,
    (backfill, unit, pass): (i64, i64, i64),
    (owner, lease): (&str, Duration),
) -> Result<Option<Claim>, Error> {
    let row = query(&format!(
        "UPDATE {}.backfill_ranges r SET {LEASED}, take_overs = r.take_overs + (r.lease_owner IS NOT NULL)::int \
         WHERE r.id = $1 AND (r.lease_owner IS NULL OR {LAPSED} OR r.lease_pid = pg_catalog.pg_backend_pid()) \
           AND r.pass = (SELECT max(m.pass) FROM {}.backfill_ranges m WHERE m.unit_id = $2 AND m.parent IS NULL) \
         RETURNING r.lease_token",
        sql::identifier(ledger),
        sql::identifier(ledger)
    ))
    .bind(pass)
    .bind(unit)
    .bind(format!("{owner}, pid {}", session.pid()))
    .bind(lease.as_secs_f64())
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => Some(Claim { backfill, unit, range: pass, token: row.try_get(0)? }),
        None => None,
    })
}

/// Gives the lease back.
pub(crate) async fn release(session: &mut Session, ledger: &str, claim: &Claim) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfill_ranges SET lease_owner = NULL, lease_expires_at = NULL, lease_pid = NULL \
         WHERE id = $1 AND lease_token = $2",
        sql::identifier(ledger)
    ))
    .bind(claim.range)
    .bind(claim.token)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Who else has a pass or a range of a backfill now, as far as somebody has.
pub(crate) async fn holder(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
) -> Result<Option<String>, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT r.lease_owner FROM {ledger}.backfill_ranges r JOIN {ledger}.backfill_units u ON u.id = r.unit_id \
         WHERE u.backfill_id = $1 AND r.state <> 'done' AND r.lease_owner IS NOT NULL AND NOT {LAPSED} ORDER BY r.id LIMIT 1"
    ))
    .bind(backfill)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => None,
    })
}

/// Adds another pass, which starts behind `lo`. The keys that are left over from the pass before are remembered: one that
/// is left over twice keeps matching. `false`: the lease is no longer ours.
pub(crate) async fn next_pass(
    session: &mut Session,
    ledger: &str,
    (claim, pass): (&Claim, &Pass),
    (lo, hi): (Option<&[String]>, Option<&[String]>),
    left_over: &[String],
    (over, oid): (Over, i64),
) -> Result<bool, Error> {
    let held = query(&format!(
        "UPDATE {}.backfill_ranges SET left_over = $3 WHERE id = $1 AND lease_token = $2",
        sql::identifier(ledger)
    ))
    .bind(claim.range)
    .bind(claim.token)
    .bind(left_over.to_vec())
    .execute(session.connection())
    .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    add(session, ledger, (claim.unit, pass.number + 1), (lo, hi), (over, oid)).await?;
    Ok(true)
}

/// Rows that kept matching in a pass, by their own RETURNING, and the keys that were left over before it.
pub(crate) async fn kept(
    session: &mut Session,
    ledger: &str,
    (claim, pass): (&Claim, &Pass),
) -> Result<(u64, Vec<String>), Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT coalesce(sum(r.rows_unchanged), 0)::int8, \
           coalesce((SELECT p.left_over FROM {ledger}.backfill_ranges p WHERE p.unit_id = $2 AND p.parent IS NULL AND p.pass = $3), '{{}}') \
         FROM {ledger}.backfill_ranges r WHERE r.id = $1 OR r.parent = $1"
    ))
    .bind(claim.range)
    .bind(claim.unit)
    .bind(pass.number - 1)
    .fetch_one(session.connection())
    .await?;
    Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get(1)?))
}
