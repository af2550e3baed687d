//! How large the target's tables are: what an estimate is multiplied with.

use std::collections::BTreeMap;

use postgres::{Error, Row, Session};

/// The target's tables by schema and name.
pub type Sizes = BTreeMap<(String, String), Size>;

/// The size of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Size {
    /// `reltuples`; `None` before the first ANALYZE.
    pub rows: Option<f64>,
    /// `relpages`, in bytes.
    pub bytes: u64,
}

/// Reads them from the target's catalog; only its estimates, no table is touched.
pub async fn sizes(session: &mut Session) -> Result<Sizes, Error> {
    let text = "SELECT n.nspname::text, c.relname::text, c.reltuples::float8, c.relpages::int8 * current_setting('block_size')::int8 \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'm', 'i') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";
    let rows = session.all(text).await?;
    rows.iter()
        .map(|row| {
            let (tuples, bytes): (f64, i64) = (row.try_get(2)?, row.try_get(3)?);
            // 0 rows on 0 pages is what a table has that was never looked at, before version 14.
            let known = tuples > 0.0 || tuples == 0.0 && bytes > 0;
            let size = Size { rows: known.then_some(tuples), bytes: bytes.unsigned_abs() };
            Ok(((row.try_get(0)?, row.try_get(1)?), size))
        })
        .collect()
}
