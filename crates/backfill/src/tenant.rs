//! Tenants: the rows of one of them, and the column that tells whose a row is.

use postgres::{Error, Row, Session, query};

/// The rows of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) column: String,
    pub(crate) type_name: String,
    pub(crate) value: String,
}

/// What is known about the tenant column.
pub(crate) struct Tenants {
    /// Values, as ANALYZE saw them.
    pub(crate) distinct: Option<i64>,
    pub(crate) type_name: String,
    /// Whether an index begins with it.
    pub(crate) indexed: bool,
}

/// The tenant column; `None` where there is no such column.
pub(crate) async fn look_up(session: &mut Session, oid: i64, column: &str) -> Result<Option<Tenants>, Error> {
    let row = query(
        "SELECT (CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 0) ELSE s.n_distinct END)::int8, \
                pg_catalog.format_type(a.atttypid, -1), \
                EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
                          JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree' \
                        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname \
         WHERE c.oid = $1::int8::oid",
    )
    .bind(oid)
    .bind(column)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Tenants { distinct: row.try_get(0)?, type_name: row.try_get(1)?, indexed: row.try_get(2)? }))
}
