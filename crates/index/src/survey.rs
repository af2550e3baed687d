//! What the catalog has for the declared names: one query for all of them.

use postgres::{Error, PgRow, Row, Session, query};

use crate::compare;
use crate::declaration::{Declaration, Tombstone};

/// What was found for a declaration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The relation of the table's name.
    pub(crate) table: Option<Table>,
    /// The relation of the index's name, in the table's schema.
    pub(crate) name: Option<FoundName>,
}

/// A relation that should have an index.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) oid: i64,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `pg_class.relkind`.
    pub(crate) kind: String,
    pub(crate) owner: String,
    /// Whether we have the rights of its owner.
    pub(crate) owned: bool,
    /// With its partitions; where the index is valid as of the last VACUUM or ANALYZE, since asking for the size of a file
    /// opens it.
    pub(crate) size_bytes: i64,
    /// The oid of the partitioned table at the root; its own where it is no partition.
    pub(crate) family: i64,
}

impl Table {
    /// One that is known to be ours, as far as a step of the work needs to know it.
    pub(crate) fn known(oid: i64, family: i64, schema: String, name: String, kind: String) -> Self {
        Self { oid, schema, name, kind, owner: String::new(), owned: true, size_bytes: 0, family }
    }

    /// `"schema"."name"`.
    pub(crate) fn quoted(&self) -> String {
        sql::qualified(&self.schema, &self.name)
    }
}

/// A relation with the name of an index.
#[derive(Debug, Clone)]
pub(crate) struct FoundName {
    pub(crate) oid: i64,
    pub(crate) schema: String,
    /// `pg_class.relkind`.
    pub(crate) kind: String,
    pub(crate) owned: bool,
    /// The table whose index it is, as it is shown to people; `None` where it is not an index.
    pub(crate) of_table: Option<String>,
    /// That table's oid.
    pub(crate) of_oid: Option<i64>,
    /// That table's `pg_class.relkind`.
    pub(crate) of_kind: Option<String>,
    pub(crate) unique: bool,
    /// Valid, ready and live (section 53.26): queries use it and writes keep it up.
    pub(crate) valid: bool,
    /// Writes already go into it.
    pub(crate) ready: bool,
    /// Whether it is on expressions, which have statistics of their own.
    pub(crate) on_expressions: bool,
    /// The partitioned table's index that it is a part of.
    pub(crate) part_of: Option<String>,
    /// The constraint that stands on it.
    pub(crate) constraint: Option<String>,
    /// What would be lost with it: a constraint, a foreign key's target, the replica identity.
    pub(crate) kept_for: Option<String>,
    /// `pg_get_indexdef`.
    pub(crate) text: String,
    /// Where it is valid as of the last VACUUM, ANALYZE or build.
    pub(crate) size_bytes: i64,
    /// Its tablespace; empty where it is the database's own.
    tablespace: String,
}

impl FoundName {
    /// Whether it is of no use to queries and yet refuses duplicates.
    pub(crate) fn rejects_rows(&self) -> bool {
        self.unique && self.ready && !self.valid
    }
}

/// The columns of [`FoundName`] but the last, from `c` (its pg_class row), `n`, `i` (pg_index), `t` (its table) and `k` (its
/// constraints: there is no index on `conindid`, so they are read once).
const NAME: &str = "c.oid::int8, n.nspname::text, c.relkind::text, pg_catalog.pg_has_role(c.relowner, 'USAGE'), \
     t.relname::text, t.oid::int8, t.relkind::text, \
     coalesce(i.indisunique, false), coalesce(i.indisvalid AND i.indisready AND i.indislive, false), \
     coalesce(i.indisready, false), i.indexprs IS NOT NULL, \
     CASE WHEN c.relispartition THEN (SELECT p.relname::text FROM pg_catalog.pg_inherits h \
          JOIN pg_catalog.pg_class p ON p.oid = h.inhparent WHERE h.inhrelid = c.oid) END, \
     k.own, CASE WHEN i.indisreplident THEN 'the replica identity' ELSE 'the index of constraint ' || coalesce(k.own, k.any) END, \
     coalesce(pg_catalog.pg_get_indexdef(i.indexrelid), ''), \
     CASE WHEN c.relkind <> 'i' THEN 0 WHEN i.indisvalid THEN c.relpages::int8 * (SELECT pg_catalog.current_setting('block_size')::int8) \
          ELSE coalesce(pg_catalog.pg_relation_size(c.oid::regclass), 0) END";

/// The tablespace of an index `c`, which `pg_get_indexdef` does not tell; empty where it is the database's own.
pub(crate) const TABLESPACE: &str =
    "coalesce((SELECT s.spcname::text FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace), '')";

const NAME_JOINS: &str = "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
     LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
     LEFT JOIN (SELECT conindid, min(conname::text) FILTER (WHERE contype IN ('p', 'u', 'x')) AS own, min(conname::text) AS any \
                FROM pg_catalog.pg_constraint WHERE conindid <> 0 GROUP BY conindid) k ON k.conindid = c.oid";

/// The relation that a name means, as the search path has it where no schema is given.
fn resolved(schema: &str, name: &str) -> String {
    format!(
        "(SELECT r.*, rn.nspname FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
         WHERE r.relname = {name} AND CASE WHEN {schema} IS NULL THEN rn.nspname = ANY (pg_catalog.current_schemas(true)) \
         ELSE rn.nspname = {schema} END \
         ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true), rn.nspname) LIMIT 1)"
    )
}

/// What is there for each declaration, in their order.
pub(crate) async fn indexes(session: &mut Session, declared: &[&Declaration]) -> Result<Vec<Found>, Error> {
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT {NAME}, {TABLESPACE}, w.n, b.oid::int8, b.nspname::text, b.relname::text, b.relkind::text, \
                pg_catalog.pg_get_userbyid(b.relowner)::text, pg_catalog.pg_has_role(b.relowner, 'USAGE'), \
                CASE WHEN i.indisvalid THEN b.relpages::int8 * (SELECT pg_catalog.current_setting('block_size')::int8) \
                     WHEN b.relkind IN ('r', 'm') THEN coalesce(pg_catalog.pg_relation_size(b.oid::regclass), 0) \
                     WHEN b.relkind = 'p' THEN (SELECT coalesce(sum(pg_catalog.pg_relation_size(relid)), 0)::int8 \
                                                FROM pg_catalog.pg_partition_tree(b.oid::regclass)) ELSE 0 END, \
                CASE WHEN b.relispartition THEN coalesce(pg_catalog.pg_partition_root(b.oid::regclass)::oid, b.oid) \
                     ELSE b.oid END::int8 \
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w(schema, tab, name, n) \
         LEFT JOIN LATERAL {} b ON true \
         LEFT JOIN pg_catalog.pg_class c ON c.relname = w.name AND c.relnamespace = b.relnamespace {NAME_JOINS} \
         ORDER BY w.n",
        resolved("w.schema", "w.tab")
    );
    let column = |of: fn(&Declaration) -> String| declared.iter().map(|each| of(each)).collect::<Vec<_>>();
    let rows = query(&text)
        .bind(declared.iter().map(|each| each.schema.clone()).collect::<Vec<_>>())
        .bind(column(|each| each.table.clone()))
        .bind(column(|each| each.name.clone()))
        .fetch_all(session.connection())
        .await?;
    let found = rows.iter().zip(declared).map(|(row, declaration)| {
        let name = found_name(row)?.map(|name| FoundName {
            text: compare::described(declaration, name.text, &name.tablespace),
            ..name
        });
        Ok(Found { name, table: table(row)? })
    });
    found.collect()
}

/// What is there for each tombstone, in their order.
pub(crate) async fn tombstones(
    session: &mut Session,
    declared: &[&Tombstone],
) -> Result<Vec<Option<FoundName>>, Error> {
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT {NAME}, {TABLESPACE} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, n) \
         LEFT JOIN LATERAL {} c ON true {NAME_JOINS} ORDER BY w.n",
        resolved("w.schema", "w.name")
    );
    let rows = query(&text)
        .bind(declared.iter().map(|each| each.schema.clone()).collect::<Vec<_>>())
        .bind(declared.iter().map(|each| each.name.clone()).collect::<Vec<_>>())
        .fetch_all(session.connection())
        .await?;
    rows.iter().map(found_name).collect()
}

fn found_name(row: &PgRow) -> Result<Option<FoundName>, Error> {
    let Some(oid) = row.try_get::<Option<i64>, _>(0)? else { return Ok(None) };
    Ok(Some(FoundName {
        oid,
        schema: row.try_get(1)?,
        kind: row.try_get(2)?,
        owned: row.try_get(3)?,
        of_table: row.try_get(4)?,
        of_oid: row.try_get(5)?,
        of_kind: row.try_get(6)?,
        unique: row.try_get(7)?,
        valid: row.try_get(8)?,
        ready: row.try_get(9)?,
        on_expressions: row.try_get(10)?,
        part_of: row.try_get(11)?,
        constraint: row.try_get(12)?,
        kept_for: row.try_get(13)?,
        text: row.try_get(14)?,
        size_bytes: row.try_get(15)?,
        tablespace: row.try_get(16)?,
    }))
}

fn table(row: &PgRow) -> Result<Option<Table>, Error> {
    let Some(oid) = row.try_get::<Option<i64>, _>(18)? else { return Ok(None) };
    Ok(Some(Table {
        oid,
        schema: row.try_get(19)?,
        name: row.try_get(20)?,
        kind: row.try_get(21)?,
        owner: row.try_get(22)?,
        owned: row.try_get(23)?,
        size_bytes: row.try_get(24)?,
        family: row.try_get(25)?,
    }))
}
