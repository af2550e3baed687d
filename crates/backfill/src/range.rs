//! The ranges of blocks that a pass hands out: carved as they are wanted, each with a lease of its own.

use postgres::{Error, PgRow, Row, Session, query};

use crate::chunk::Chunk;
use crate::claim::Claim;
use crate::settings::Settings;

/// Blocks of a range: the fewest and the most.
const BLOCKS: (i64, i64) = (128, 8192);

/// A span of blocks that is ours.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) id: i64,
    pub(crate) token: i64,
    pub(crate) relfilenode: i64,
    pub(crate) end_block: i64,
    /// The cursor: a chunk's first block, and the step within it.
    pub(crate) block: i64,
    pub(crate) step: i32,
    /// The chunk that the cursor is in, where we began it. One that somebody else began is begun
    /// again, since the stripes may be others; what is done no longer matches.
    pub(crate) chunk: Option<Chunk>,
    /// Blocks of the last chunk.
    pub(crate) blocks: i64,
}

const COLUMNS: &str = "r.id, r.lease_token, r.relfilenode, r.end_block, r.block, r.step, r.scan_size";

impl Range {
    fn of(row: &PgRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            token: row.try_get(1)?,
            relfilenode: row.try_get(2)?,
            end_block: row.try_get(3)?,
            block: row.try_get(4)?,
            step: row.try_get(5)?,
            chunk: None,
            blocks: row.try_get(6)?,
        })
    }
}

/// Takes the lease on a range that is free, whose lease has run out, or that was left by whoever had the pass before us.
/// Where there is none, carves the next one; `None` if the pass is handed out, or no longer ours.
pub(crate) async fn take(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    settings: &Settings,
) -> Result<Option<Range>, Error> {
    let quoted = sql::identifier(ledger);
    let free = format!(
        "WITH c AS MATERIALIZED (SELECT r.id FROM {quoted}.backfill_ranges r WHERE r.parent = $1 \
           AND (r.state = 'ready' OR (r.state = 'leased' AND (r.lease_expires_at < clock_timestamp() OR r.parent_token < $2))) \
           AND EXISTS (SELECT FROM {quoted}.backfill_ranges m WHERE m.id = $1 AND m.lease_token = $2) \
           ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED) \
         UPDATE {quoted}.backfill_ranges r SET take_overs = r.take_overs + (r.state = 'leased')::int, state = 'leased', \
           lease_token = r.lease_token + 1, parent_token = $2, lease_owner = $3, \
           lease_expires_at = clock_timestamp() + $4 * interval '1 second' FROM c WHERE r.id = c.id RETURNING {COLUMNS}"
    );
    let carve = format!(
        "WITH c AS MATERIALIZED (SELECT id, block FROM {quoted}.backfill_ranges \
           WHERE id = $1 AND lease_token = $2 AND block < end_block FOR UPDATE), \
         m AS (UPDATE {quoted}.backfill_ranges r SET updated_at = clock_timestamp(), \
           block = least(r.end_block, r.block + greatest($5::int8, least($6::int8, (r.end_block - r.block) / $7::int8))), \
           lease_expires_at = clock_timestamp() + $4 * interval '1 second' FROM c WHERE r.id = c.id \
           RETURNING r.unit_id, r.pass, r.relfilenode, c.block, r.block AS end_block) \
         INSERT INTO {quoted}.backfill_ranges AS r (unit_id, pass, parent, parent_token, walk, relfilenode, block, end_block, step, \
           state, lease_token, lease_owner, lease_expires_at) \
         SELECT unit_id, pass, $1, $2, 'blocks', relfilenode, block, end_block, 0, 'leased', 1, $3, \
           clock_timestamp() + $4 * interval '1 second' FROM m RETURNING {COLUMNS}"
    );
    let shares = i64::from(settings.workers.max(1)) * 4;
    let owner = format!("pid {}", session.pid());
    for (text, carves) in [(free, false), (carve, true)] {
        let mut query =
            query(&text).bind(claim.range).bind(claim.token).bind(&owner).bind(settings.lease.as_secs_f64());
        if carves {
            query = query.bind(BLOCKS.0).bind(BLOCKS.1).bind(shares);
        }
        if let Some(row) = query.fetch_optional(session.connection()).await? {
            return Ok(Some(Range::of(&row)?));
        }
    }
    Ok(None)
}

/// Gives a range back.
pub(crate) async fn give_back(session: &mut Session, ledger: &str, range: &Range) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfill_ranges SET state = CASE state WHEN 'leased' THEN 'ready' ELSE state END, \
           lease_owner = NULL, lease_expires_at = NULL WHERE id = $1 AND lease_token = $2",
        sql::identifier(ledger)
    ))
    .bind(range.id)
    .bind(range.token)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// How a pass over blocks stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All of its ranges are done.
    Done,
    /// Some are not, because others have them.
    Under,
    /// It is no longer ours.
    Lost,
}

/// Closes the pass if all of its ranges are done.
pub(crate) async fn settle(session: &mut Session, ledger: &str, claim: &Claim) -> Result<Standing, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "UPDATE {ledger}.backfill_ranges m SET lease_expires_at = clock_timestamp() + interval '60 seconds', \
           state = CASE WHEN m.block >= m.end_block AND NOT EXISTS (SELECT FROM {ledger}.backfill_ranges r \
             WHERE r.parent = m.id AND r.state <> 'done') THEN 'done' ELSE m.state END \
         WHERE m.id = $1 AND m.lease_token = $2 RETURNING m.state = 'done'"
    ))
    .bind(claim.range)
    .bind(claim.token)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        None => Standing::Lost,
        Some(row) if row.try_get(0)? => Standing::Done,
        Some(_) => Standing::Under,
    })
}

/// Begins the pass again from block 0 of the table as it is now (`along_key: false`), or along the key. What is done is
/// done: it no longer matches.
pub(crate) async fn restart(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    oid: i64,
    along_key: bool,
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH m AS (UPDATE {ledger}.backfill_ranges SET walk = CASE WHEN $4 THEN 'keyset' ELSE 'blocks' END, block = 0, \
             relfilenode = pg_catalog.pg_relation_filenode($3::int8::oid)::int8, \
             end_block = pg_catalog.pg_relation_size($3::int8::oid) / current_setting('block_size')::int8 \
           WHERE id = $1 AND lease_token = $2 RETURNING id) \
         UPDATE {ledger}.backfill_ranges r SET state = 'done', lease_token = r.lease_token + 1 FROM m \
         WHERE r.parent = m.id AND r.state <> 'done'"
    ))
    .bind(claim.range)
    .bind(claim.token)
    .bind(oid)
    .bind(along_key)
    .execute(session.connection())
    .await?;
    Ok(())
}
