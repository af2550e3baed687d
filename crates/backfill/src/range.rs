//! The ranges that a pass hands out, of blocks or of keys: carved as they are wanted, each with a lease of its own.

use std::time::Duration;

use postgres::{Error, PgRow, Row, Session, query};

use crate::chunk::Chunk;
use crate::claim::{LAPSED, LEASED, Pass};
use crate::names::Over;

/// Blocks of a range: the fewest and the most.
const BLOCKS: (i64, i64) = (128, 8192);

/// A span that is ours.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) id: i64,
    pub(crate) token: i64,
    pub(crate) relfilenode: i64,
    /// A range of keys is one block, as it were.
    pub(crate) end_block: i64,
    /// The cursor: a chunk's first block, and the step within it.
    pub(crate) block: i64,
    pub(crate) step: i32,
    /// The chunk that the cursor is in, where we began it. One of blocks that somebody else began is begun
    /// again, since the stripes may be others; what is done no longer matches.
    pub(crate) chunk: Option<Chunk>,
    /// Blocks of the last chunk, or the range's keys.
    pub(crate) size: i64,
    pub(crate) reach: Reach,
}

/// Where a range is.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    Blocks,
    /// Behind one key, up to another.
    Keys {
        lo: Option<Vec<String>>,
        hi: Vec<String>,
    },
}

const COLUMNS: &str = "r.id, r.lease_token, coalesce(r.relfilenode, 0), r.end_block, r.block, r.step, r.scan_size, r.lo, r.hi, r.stripes";

impl Range {
    fn of(row: &PgRow) -> Result<Self, Error> {
        let (step, stripes): (i32, i32) = (row.try_get(5)?, row.try_get(9)?);
        let reach = match row.try_get::<Option<Vec<String>>, _>(8)? {
            None => Reach::Blocks,
            Some(hi) => Reach::Keys { lo: row.try_get(7)?, hi },
        };
        let chunk = match reach {
            Reach::Keys { .. } => Some(Chunk { blocks: 1, stripes, parts: 1, first: 1 }),
            Reach::Blocks => None,
        };
        Ok(Self {
            id: row.try_get(0)?,
            token: row.try_get(1)?,
            relfilenode: row.try_get(2)?,
            end_block: row.try_get(3)?,
            block: row.try_get(4)?,
            step,
            chunk,
            size: row.try_get(6)?,
            reach,
        })
    }
}

/// Who takes a range, and how large it is to be.
pub(crate) struct Taker<'a> {
    pub(crate) owner: &'a str,
    pub(crate) lease: Duration,
    pub(crate) workers: u32,
    /// Keys, and the stripes that they are done in.
    pub(crate) keys: i64,
    pub(crate) stripes: i32,
    /// Finds the key at which a range of keys ends.
    pub(crate) carve: &'a str,
}

/// Takes the lease on a range that is free or whose lease has lapsed. Where there is none, carves the next one; `None` if
/// the pass is handed out, or was begun anew.
pub(crate) async fn take(
    session: &mut Session,
    ledger: &str,
    pass: &Pass,
    taker: &Taker<'_>,
) -> Result<Option<Range>, Error> {
    let quoted = sql::identifier(ledger);
    let free = format!(
        "WITH c AS MATERIALIZED (SELECT r.id FROM {quoted}.backfill_ranges r WHERE r.parent = $1 \
           AND (r.state = 'ready' OR (r.state = 'leased' AND {LAPSED})) \
           AND EXISTS (SELECT FROM {quoted}.backfill_ranges m WHERE m.id = $1 AND m.seq = $2) \
           ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED) \
         UPDATE {quoted}.backfill_ranges r SET take_overs = r.take_overs + (r.state = 'leased')::int, state = 'leased', {LEASED} \
         FROM c WHERE r.id = c.id AND r.state <> 'done' RETURNING {COLUMNS}"
    );
    let owner = format!("{}, pid {}", taker.owner, session.pid());
    let bound = |text: &str| {
        query(text).bind(pass.id).bind(pass.epoch).bind(owner.clone()).bind(taker.lease.as_secs_f64())
    };
    if let Some(row) = bound(&free).fetch_optional(session.connection()).await? {
        return Ok(Some(Range::of(&row)?));
    }
    match pass.over {
        Over::Blocks => {
            let shares = i64::from(taker.workers.max(1)) * 4;
            let text = format!(
                "WITH c AS MATERIALIZED (SELECT id, block FROM {quoted}.backfill_ranges \
                   WHERE id = $1 AND seq = $2 AND block < end_block FOR UPDATE), \
                 m AS (UPDATE {quoted}.backfill_ranges r SET updated_at = clock_timestamp(), \
                   block = least(r.end_block, r.block + greatest($5::int8, least($6::int8, (r.end_block - r.block) / $7::int8))) \
                   FROM c WHERE r.id = c.id RETURNING r.unit_id, r.pass, r.relfilenode, c.block, r.block AS end_block), \
                 n AS (INSERT INTO {quoted}.backfill_ranges (unit_id, pass, parent, walk, relfilenode, block, end_block, step, state, {OWNER}) \
                   SELECT unit_id, pass, $1, 'blocks', relfilenode, block, end_block, 0, 'leased', {OWN} FROM m RETURNING *) \
                 SELECT {COLUMNS} FROM n r"
            );
            let query = bound(&text).bind(BLOCKS.0).bind(BLOCKS.1).bind(shares);
            let row = query.fetch_optional(session.connection()).await?;
            row.as_ref().map(Range::of).transpose()
        }
        Over::Keys => carve(session, &quoted, pass, taker, &owner).await,
    }
}

const OWNER: &str = "lease_token, lease_owner, lease_expires_at, lease_pid, lease_started";
const OWN: &str = "1, $3, clock_timestamp() + $4::float8 * interval '1 second', pg_catalog.pg_backend_pid(), \
     (SELECT a.backend_start FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid())";

/// The next keys of a pass. One at a time: the pass's row is locked while the index is asked.
async fn carve(
    session: &mut Session,
    quoted: &str,
    pass: &Pass,
    taker: &Taker<'_>,
    owner: &str,
) -> Result<Option<Range>, Error> {
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off; SET LOCAL row_security = off").await?;
    let text = format!(
        "SELECT cursor, hi FROM {quoted}.backfill_ranges WHERE id = $1 AND seq = $2 AND block < end_block FOR UPDATE"
    );
    let row = query(&text).bind(pass.id).bind(pass.epoch).fetch_optional(session.connection()).await?;
    let Some(row) = row else {
        session.run("ROLLBACK").await?;
        return Ok(None);
    };
    let (behind, hi): (Option<Vec<String>>, Option<Vec<String>>) = (row.try_get(0)?, row.try_get(1)?);
    let found = query(taker.carve)
        .bind(behind.clone())
        .bind(hi.clone())
        .bind(taker.keys.max(1))
        .fetch_optional(session.connection())
        .await?;
    let end: Option<Vec<String>> = match found {
        Some(found) => Some(found.try_get(0)?),
        None => None,
    };
    let last = end.is_none() || end == hi;
    let row = query(&format!(
        "WITH m AS (UPDATE {quoted}.backfill_ranges SET cursor = coalesce($5, hi), block = CASE WHEN $6 THEN 1 ELSE block END, \
           updated_at = clock_timestamp() WHERE id = $1 AND seq = $2 RETURNING unit_id, pass, relfilenode, cursor), \
         n AS (INSERT INTO {quoted}.backfill_ranges (unit_id, pass, parent, walk, relfilenode, block, end_block, step, scan_size, stripes, lo, hi, \
             state, {OWNER}) \
           SELECT unit_id, pass, $1, 'keyset', relfilenode, 0, 1, 0, $7, $8, $9, m.cursor, 'leased', {OWN} FROM m RETURNING *) \
         SELECT {COLUMNS} FROM n r"
    ))
    .bind(pass.id)
    .bind(pass.epoch)
    .bind(owner.to_owned())
    .bind(taker.lease.as_secs_f64())
    .bind(end)
    .bind(last)
    .bind(taker.keys)
    .bind(taker.stripes)
    .bind(behind)
    .fetch_one(session.connection())
    .await?;
    let range = Range::of(&row)?;
    session.run("COMMIT").await?;
    Ok(Some(range))
}

/// Cuts a range of keys: so many keys stay in it, the others become a range that is free. Both begin with their first
/// stripe, which is right where nothing is done of it, or where what is done no longer matches. `false`: the lease is no
/// longer ours.
pub(crate) async fn split(
    session: &mut Session,
    ledger: &str,
    range: &mut Range,
    (carve, keys): (&str, i64),
) -> Result<bool, Error> {
    let Reach::Keys { lo, hi } = &range.reach else { return Ok(true) };
    let found = query(carve)
        .bind(lo.clone())
        .bind(hi.clone())
        .bind(keys)
        .fetch_optional(session.connection())
        .await?;
    let end: Vec<String> = match found {
        Some(found) => found.try_get(0)?,
        None => return Ok(true),
    };
    if end == *hi {
        return Ok(true);
    }
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "WITH r AS (UPDATE {ledger}.backfill_ranges SET hi = $3, scan_size = $4, step = 0 \
           WHERE id = $1 AND lease_token = $2 AND state = 'leased' AND hi <> $3 RETURNING *) \
         INSERT INTO {ledger}.backfill_ranges (unit_id, pass, parent, walk, relfilenode, block, end_block, step, scan_size, stripes, lo, hi, state) \
         SELECT unit_id, pass, parent, walk, relfilenode, 0, 1, 0, greatest($5 - $4, 1), stripes, $3, $6, 'ready' FROM r RETURNING 1"
    ))
    .bind(range.id)
    .bind(range.token)
    .bind(end.clone())
    .bind(keys)
    .bind(range.size)
    .bind(hi.clone())
    .fetch_optional(session.connection())
    .await?;
    if row.is_some() {
        let lo = lo.clone();
        (range.reach, range.size, range.step) = (Reach::Keys { lo, hi: end }, keys, 0);
    }
    Ok(row.is_some())
}

/// Gives a range back.
pub(crate) async fn give_back(session: &mut Session, ledger: &str, range: &Range) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfill_ranges SET state = CASE state WHEN 'leased' THEN 'ready' ELSE state END, \
           lease_owner = NULL, lease_expires_at = NULL, lease_pid = NULL WHERE id = $1 AND lease_token = $2",
        sql::identifier(ledger)
    ))
    .bind(range.id)
    .bind(range.token)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Closes the pass if all of it is handed out and done. `false`: some ranges are not, because others have them.
pub(crate) async fn settle(session: &mut Session, ledger: &str, pass: &Pass) -> Result<bool, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "UPDATE {ledger}.backfill_ranges m SET state = 'done' WHERE m.id = $1 AND m.state <> 'done' AND m.seq = $2 AND m.block >= m.end_block \
           AND NOT EXISTS (SELECT FROM {ledger}.backfill_ranges r WHERE r.parent = m.id AND r.state <> 'done') RETURNING 1"
    ))
    .bind(pass.id)
    .bind(pass.epoch)
    .fetch_optional(session.connection())
    .await?;
    Ok(row.is_some())
}

/// Begins the pass again from block 0 of the table as it is now (`Over::Blocks`), or along the key. What is done is
/// done: it no longer matches. Who is second finds it begun. Whoever has a range of it can write no more.
pub(crate) async fn restart(
    session: &mut Session,
    ledger: &str,
    pass: &Pass,
    (oid, over): (i64, Over),
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH m AS (UPDATE {ledger}.backfill_ranges SET seq = seq + 1, block = 0, cursor = lo, state = 'ready', \
             walk = CASE WHEN $4 THEN 'keyset' ELSE 'blocks' END, \
             relfilenode = pg_catalog.pg_relation_filenode($3::int8::oid)::int8, \
             end_block = CASE WHEN $4 THEN 1 ELSE pg_catalog.pg_relation_size($3::int8::oid) / current_setting('block_size')::int8 END \
           WHERE id = $1 AND seq = $2 RETURNING id) \
         UPDATE {ledger}.backfill_ranges r SET state = 'done', lease_token = r.lease_token + 1, lease_owner = NULL FROM m \
         WHERE r.parent = m.id AND r.state <> 'done'"
    ))
    .bind(pass.id)
    .bind(pass.epoch)
    .bind(oid)
    .bind(over == Over::Keys)
    .execute(session.connection())
    .await?;
    Ok(())
}
