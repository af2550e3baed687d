//! What is found out about the rows that match: how many, whether doing one makes it stop matching, and the proof at the
//! end that none is left.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::claim::Claim;
use crate::fence;
use crate::relation::Relation;
use crate::settings::Settings;
use crate::texts::Texts;

/// Pages that an estimate reads, about.
const SAMPLE_PAGES: f64 = 100.0;
/// Tables up to this many pages are read whole.
const SMALL: i64 = 400;
/// Rows that the sample before the first batch changes and rolls back.
const SAMPLE_ROWS: i64 = 50;
/// How long the sample waits for somebody else.
const SAMPLE: Duration = Duration::from_millis(300);
/// Rows that are left over from a pass and noted one by one; where there are more, another pass is quicker.
const NOTED: i64 = 10_000;

/// How many rows match, by a sample of the table's pages, the same ones each time; exact for small tables. Where that
/// takes more than a second, the number of the table's rows has to do.
pub(crate) async fn estimate(
    session: &mut Session,
    relation: &Relation,
    texts: &Texts,
) -> Result<u64, Error> {
    let small = relation.pages <= SMALL;
    let percent = if small { 100.0 } else { SAMPLE_PAGES / relation.pages as f64 * 100.0 };
    let rows = relation.rows.unwrap_or(0.0);
    session.run("BEGIN READ ONLY; SET LOCAL row_security = off; SET LOCAL statement_timeout = '1s'; SET LOCAL jit = off").await?;
    let sampled = session
        .one(&format!(
            "SELECT count(*), count(*) FILTER (WHERE {}) FROM {} TABLESAMPLE SYSTEM ({percent:.12}) REPEATABLE (1)",
            texts.hit, texts.table
        ))
        .await;
    let matching = match sampled {
        Ok(row) => {
            let (seen, matching) = (row.try_get::<i64, _>(0)? as f64, row.try_get::<i64, _>(1)? as f64);
            match relation.rows {
                // ANALYZE knows the number of rows better than the number of pages that the sample happened to hit.
                Some(rows) if !small && seen > 0.0 => rows * matching / seen,
                _ => matching * 100.0 / percent,
            }
        }
        Err(error) if error.is_lost_connection() => return Err(error),
        Err(_) => rows,
    };
    session.run("ROLLBACK").await?;
    Ok(matching.round() as u64)
}

/// The greatest key; `None` for an empty table.
pub(crate) async fn greatest_key(session: &mut Session, texts: &Texts) -> Result<Option<Vec<String>>, Error> {
    let text = format!("SELECT {} FROM {} ORDER BY {} LIMIT 1", texts.key_text, texts.rows, texts.descending);
    let row = query(&text).fetch_optional(session.connection()).await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
}

/// Rows that still match although they were just done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unchanged {
    pub(crate) of: u64,
    pub(crate) rows: u64,
    pub(crate) examples: Vec<String>,
}

/// Does a few rows, looks whether they still match, and rolls it back.
pub(crate) async fn sample(
    session: &mut Session,
    texts: &Texts,
    claim: &Claim,
    settings: &Settings,
    ledger: &str,
) -> Result<Option<Unchanged>, Error> {
    let opening = fence::opening(session, settings, SAMPLE);
    session.run(&opening).await?;
    let sampled = if fence::lock(session, claim, ledger).await? {
        Some(tried(session, texts, claim.unit, settings, ledger).await?)
    } else {
        None
    };
    session.run("ROLLBACK").await?;
    Ok(sampled.filter(|unchanged| unchanged.rows > 0))
}

/// A few rows, noted, done, and looked at again.
async fn tried(
    session: &mut Session,
    texts: &Texts,
    unit: i64,
    settings: &Settings,
    ledger: &str,
) -> Result<Unchanged, Error> {
    // A table whose matches are rare is not searched for them here.
    session.run("SET LOCAL statement_timeout = '500ms'").await?;
    let found = query(&format!(
        "WITH n AS (INSERT INTO {}.backfill_skipped (unit_id, key) SELECT $1, {} FROM {} LIMIT {SAMPLE_ROWS} \
           ON CONFLICT DO NOTHING RETURNING id) SELECT coalesce(pg_catalog.array_agg(id ORDER BY id), '{{}}') FROM n",
        sql::identifier(ledger),
        texts.key_text,
        texts.matching
    ))
    .bind(unit)
    .fetch_one(session.connection())
    .await?;
    let ids: Vec<i64> = found.try_get(0)?;
    session.run(&format!("SET LOCAL statement_timeout = {}", settings.statement_timeout.as_millis())).await?;
    let done = query(&texts.sample).bind(ids.clone()).fetch_one(session.connection()).await?;
    let of = done.try_get::<i64, _>(0)?.unsigned_abs();
    let skipped = (ids.len() as u64).saturating_sub(of);
    let still = query(&texts.still).bind(ids).fetch_all(session.connection()).await?;
    let rows = (still.len() as u64).saturating_sub(skipped);
    let examples = still.iter().take(3).map(|row| Ok(row.try_get(0)?)).collect::<Result<_, Error>>()?;
    Ok(Unchanged { of, rows, examples })
}

/// Whether any row matches now but those that are set aside: one statement, one fresh snapshot.
pub(crate) async fn any_matches(session: &mut Session, texts: &Texts, backfill: i64) -> Result<bool, Error> {
    session
        .run("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0")
        .await?;
    let row = session.one(&format!("SELECT EXISTS (SELECT 1 FROM {})", texts.left(backfill))).await?;
    session.run("COMMIT").await?;
    Ok(row.try_get(0)?)
}

/// Notes the keys of rows that still match, for the sweep. How many.
pub(crate) async fn note_left(
    session: &mut Session,
    texts: &Texts,
    claim: &Claim,
    ledger: &str,
) -> Result<u64, Error> {
    let (quoted, key_text, matching) = (sql::identifier(ledger), &texts.key_text, texts.left(claim.backfill));
    session
        .run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0")
        .await?;
    if !fence::lock(session, claim, ledger).await? {
        session.run("ROLLBACK").await?;
        return Ok(0);
    }
    let noted = query(&format!(
        "WITH n AS (INSERT INTO {quoted}.backfill_skipped (unit_id, key) SELECT $1, {key_text} FROM {matching} LIMIT {NOTED} \
           ON CONFLICT DO NOTHING RETURNING 1) \
         UPDATE {quoted}.backfill_ranges SET rows_skipped = rows_skipped + (SELECT count(*) FROM n) WHERE id = $2 \
         RETURNING (SELECT count(*) FROM n)"
    ))
    .bind(claim.unit)
    .bind(claim.range)
    .fetch_one(session.connection())
    .await?
    .try_get::<i64, _>(0)?;
    session.run("COMMIT").await?;
    Ok(noted.unsigned_abs())
}

/// The rows that match.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    /// Up to the bound.
    pub(crate) within: u64,
    /// Behind it.
    pub(crate) beyond: u64,
    /// The first keys up to the bound, in order.
    pub(crate) examples: Vec<String>,
}

/// Counts the rows that match, up to a bound and behind it.
pub(crate) async fn left(
    session: &mut Session,
    texts: &Texts,
    bound: Option<&[String]>,
    backfill: i64,
) -> Result<Left, Error> {
    let Texts { up_to, key_text, key_list, .. } = texts;
    let matching = texts.left(backfill);
    // The first keys by a look of their own, which keeps no more than three: all that match may be the whole table.
    let text = format!(
        "SELECT count(*) FILTER (WHERE w), count(*) FILTER (WHERE NOT w), \
                ARRAY(SELECT pg_catalog.array_to_string({key_text}, ', ') FROM {matching} AND coalesce({up_to}, true) ORDER BY {key_list} LIMIT 3) \
         FROM (SELECT coalesce({up_to}, true) AS w FROM {matching}) AS pgdeploy_left"
    );
    let row = query(&text).bind(bound.map(<[String]>::to_vec)).fetch_one(session.connection()).await?;
    Ok(Left {
        within: row.try_get::<i64, _>(0)?.unsigned_abs(),
        beyond: row.try_get::<i64, _>(1)?.unsigned_abs(),
        examples: row.try_get(2)?,
    })
}
