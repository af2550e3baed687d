//! The table that is walked, as the catalog knows it: what only a database can tell about a definition.

use postgres::{Error, PgRow, Row, Session, query};

use crate::key::{self, Key};
use crate::tenant::Tenant;

/// The share of a table's rows from which on a tenant is walked over its blocks.
const MANY: f64 = 0.2;

/// A table that can be walked, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Qualified and quoted.
    pub(crate) name: String,
    /// Schema and name of the partition, unquoted, where this is one of the table.
    pub(crate) leaf: Option<(String, String)>,
    /// The tenant whose rows these are.
    pub(crate) tenant: Option<Tenant>,
    /// Tenants whose rows are left out.
    pub(crate) except: Vec<String>,
    /// Its object identifier.
    pub(crate) oid: i64,
    /// Whether its rows live in the blocks of a heap that can be read span by span (Tid Range Scan, PostgreSQL 14).
    pub(crate) has_blocks: bool,
    /// Whether the key is an integer whose low bits are spread evenly over the rows of each block.
    pub(crate) counts: bool,
    /// Whether the rows lie in the order of the key.
    pub(crate) follows: bool,
    /// Whether its low bits are spread evenly over keys that follow each other.
    pub(crate) spread: bool,
    /// The columns of the key, in its order.
    pub(crate) keys: Vec<Key>,
    /// Its size in pages.
    pub(crate) pages: i64,
    /// Its rows, by the density that ANALYZE or VACUUM saw; `None` where neither has been.
    pub(crate) rows: Option<f64>,
    /// Distinct values of the tenant column, as ANALYZE saw them.
    pub(crate) tenants: Option<i64>,
    /// Of what it consists.
    pub(crate) division: Division,
}

/// Of what a table consists, each part with a progress of its own.
#[derive(Debug, Clone)]
pub(crate) enum Division {
    /// Itself.
    Whole,
    /// Its partitions.
    Partitions,
    /// Its tenants, where an index finds the rows of each: column and type.
    Tenants(String, String),
}

impl Relation {
    /// Rows in a block, where known.
    pub(crate) fn density(&self) -> Option<f64> {
        self.rows.filter(|_| self.pages > 0).map(|rows| rows / self.pages as f64)
    }

    /// The rows of one of its tenants.
    pub(crate) fn of_tenant(&self, value: &str, rows: u64) -> Option<Self> {
        let Division::Tenants(column, type_name) = &self.division else { return None };
        let (column, type_name, value) = (column.clone(), type_name.clone(), value.to_owned());
        let tenant = Some(Tenant { column, type_name, value });
        // A few rows are found through the index; for many, the table is as well read.
        let few = self.rows.is_none_or(|all| (rows as f64) < all * MANY);
        Some(Self { tenant, has_blocks: self.has_blocks && !few, follows: false, ..self.clone() })
    }
}

/// What is asked of the catalog about a relation.
pub(crate) const DETAILS: &str = "SELECT c.oid::int8, c.relkind::text, n.nspname::text, c.relname::text, \
        CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::int8 \
          ELSE (SELECT coalesce(sum(pg_relation_size(t.relid)), 0)::int8 / current_setting('block_size')::int8 \
                FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) END, \
        c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid), \
        CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages \
          WHEN c.relkind = 'p' THEN (SELECT sum(l.reltuples) / nullif(sum(l.relpages), 0) FROM pg_catalog.pg_partition_tree(c.oid) t \
            JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf AND l.reltuples > 0)::float8 END, \
        EXISTS (SELECT FROM pg_catalog.pg_am a WHERE a.oid = c.relam AND a.amname = 'heap') \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// A relation from the row that [`DETAILS`] gives.
pub(crate) async fn described(session: &mut Session, row: &PgRow, keys: Vec<Key>) -> Result<Relation, Error> {
    let (schema, table): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let name = sql::qualified(&schema, &table);
    let (oid, pages, density): (i64, i64, Option<f64>) = (row.try_get(0)?, row.try_get(4)?, row.try_get(6)?);
    let has_blocks = row.try_get::<bool, _>(7)? && session.version_number() >= 140_000;
    let counts = has_blocks && key::counts(session, &name, &keys).await?;
    let follows = key::follows(session, (&schema, &table), &keys).await?;
    let spread = key::spread(session, &name, &keys).await?;
    Ok(Relation {
        name,
        leaf: None,
        tenant: None,
        except: Vec::new(),
        oid,
        has_blocks,
        counts,
        follows,
        spread,
        keys,
        pages,
        rows: density.map(|density| density * pages as f64),
        tenants: None,
        division: Division::Whole,
    })
}

/// One partition of a table, by its qualified name; `None` where it is none of them (any more).
pub(crate) async fn partition(
    session: &mut Session,
    relation: &Relation,
    name: &str,
) -> Result<Option<Relation>, Error> {
    let row = query(&format!(
        "{DETAILS} WHERE c.oid = pg_catalog.to_regclass($1) \
         AND c.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree($2::int8::oid) t WHERE t.isleaf)"
    ))
    .bind(name)
    .bind(relation.oid)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let leaf = Some((row.try_get(2)?, row.try_get(3)?));
    Ok(Some(Relation { leaf, ..described(session, &row, relation.keys.clone()).await? }))
}
