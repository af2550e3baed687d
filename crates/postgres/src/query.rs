//! The one place where text becomes a query.

use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Postgres};

/// A query with its parameters.
pub type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// A query with bind parameters. Names in `sql` must have gone through [`sql::identifier`], values through `bind`.
/// Never kept as a prepared statement: after a change of schema "cached plan must not change result type" would repeat
/// for ever.
pub fn query(sql: &str) -> Query {
    sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false)
}

/// Text for the simple query protocol: several statements, no parameters.
pub(crate) fn script(sql: &str) -> sqlx::RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
}
