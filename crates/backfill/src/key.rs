//! The columns that a table's rows are told apart by, and how their values lie in it.

use postgres::{Error, Row, Session, query};

/// A column of the key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Unquoted.
    pub(crate) column: String,
    /// As `format_type` writes it, without a length: what a key's text is cast to.
    pub(crate) type_name: String,
}

impl Key {
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.type_name.as_str(), "bigint" | "integer" | "smallint")
    }
}

/// The primary key's columns.
pub(crate) async fn primary(session: &mut Session, oid: i64) -> Result<Vec<Key>, Error> {
    // format_type with -1 instead of NULL: `character` without a length would mean character(1).
    let rows = query(
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, -1) \
         FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
         JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum \
         WHERE i.indrelid = $1::int8::oid AND a.attrelid = i.indrelid AND i.indisprimary AND k.n <= i.indnkeyatts ORDER BY k.n",
    )
    .bind(oid)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(Key { column: row.try_get(0)?, type_name: row.try_get(1)? })).collect()
}

/// The columns of a unique index over just these, none of which may be NULL.
pub(crate) async fn named(session: &mut Session, oid: i64, named: &[String]) -> Result<Vec<Key>, Error> {
    let rows = query(
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, -1) \
         FROM (SELECT i.indkey FROM pg_catalog.pg_index i WHERE i.indrelid = $1::int8::oid AND i.indisunique AND i.indisvalid \
                 AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = pg_catalog.cardinality($2::text[]) \
                 AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.n) FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
                      WHERE k.n <= i.indnkeyatts AND a.attnotnull) = $2 LIMIT 1) i, \
              pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::int8::oid AND a.attnum = k.attnum \
         WHERE k.n <= pg_catalog.cardinality($2::text[]) ORDER BY k.n",
    )
    .bind(oid)
    .bind(named.to_vec())
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(Key { column: row.try_get(0)?, type_name: row.try_get(1)? })).collect()
}

/// Whether each residue of the key modulo 8 has its share of the first keys.
pub(crate) async fn spread(session: &mut Session, name: &str, keys: &[Key]) -> Result<bool, Error> {
    let [key] = keys else { return Ok(false) };
    if !key.is_integer() {
        return Ok(false);
    }
    let column = sql::identifier(&key.column);
    is_so(
        session,
        &format!(
            "SELECT coalesce(max(n) <= sum(n) / 8 + 2, false) FROM (SELECT count(*) AS n FROM \
               (SELECT {column} AS k FROM {name} ORDER BY {column} LIMIT 400) AS keys GROUP BY k & 7) AS residues"
        ),
    )
    .await
}

/// Whether the rows lie in the order of the key's first column, as ANALYZE saw it.
pub(crate) async fn follows(
    session: &mut Session,
    (schema, table): (&str, &str),
    keys: &[Key],
) -> Result<bool, Error> {
    let row = query(
        "SELECT coalesce(bool_or(abs(correlation) > 0.9), false) FROM pg_catalog.pg_stats \
         WHERE schemaname = $1 AND tablename = $2 AND attname = $3",
    )
    .bind(schema.to_owned())
    .bind(table.to_owned())
    .bind(keys.first().map(|key| key.column.clone()))
    .fetch_one(session.connection())
    .await?;
    Ok(row.try_get(0)?)
}

/// Whether each residue of the key modulo 8 has its share of the rows of each block, by the first blocks.
pub(crate) async fn counts(session: &mut Session, name: &str, keys: &[Key]) -> Result<bool, Error> {
    let [key] = keys else { return Ok(false) };
    if !key.is_integer() {
        return Ok(false);
    }
    let column = sql::identifier(&key.column);
    is_so(
        session,
        &format!(
            "SELECT coalesce(bool_and(most <= rows / 8 + 2), false) FROM (SELECT sum(n)::int8 AS rows, max(n) AS most FROM \
               (SELECT (ctid::text::point)[0] AS block, count(*) AS n FROM {name} WHERE ctid < '(50,0)'::tid \
                GROUP BY 1, {column} & 7) AS residues GROUP BY block) AS blocks"
        ),
    )
    .await
}

/// What a look at the rows says. Without the right to read them it is a no: EXPLAIN has said why.
async fn is_so(session: &mut Session, text: &str) -> Result<bool, Error> {
    match session.one(text).await {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error) if error.is_lost_connection() => Err(error),
        Err(_) => Ok(false),
    }
}
