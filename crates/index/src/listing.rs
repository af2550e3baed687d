//! Every index of a database with what a person wants to know of it: `pgdeploy index list`.

use postgres::{Error, PgRow, Row, Session, query};
use serde::Serialize;

use crate::declaration::Declarations;
use crate::survey::Table;
use crate::sweep;

/// An index that is there.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Listed {
    /// Its schema, which is its table's.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it is declared, such as `indexes/leads.sql:3:1`; nothing for one that no file declares.
    pub declared_at: Option<String>,
    /// Whether queries use it.
    pub condition: Condition,
    /// Whether it refuses duplicate rows although no query can use it.
    pub rejects_rows: bool,
    /// Whether it is UNIQUE.
    pub unique: bool,
    /// The constraint that stands on it.
    pub constraint: Option<String>,
    /// The partitioned table's index that it is a part of.
    pub part_of: Option<String>,
    /// Whether it is what a build that failed has left, by its name.
    pub leftover: bool,
    /// Its size; with all its parts where it is a partitioned table's.
    pub size_bytes: i64,
    /// How much larger a B-tree is than its rows need, at least, by the statistics of the last ANALYZE; nothing where they
    /// do not tell.
    pub bloat_bytes: Option<i64>,
    /// How often queries on this server have used it since `counted_since`; a replica counts its own.
    pub scans: i64,
    /// When a query last used it (PostgreSQL 16 and newer), in UTC.
    pub last_scan: Option<String>,
    /// Since when uses are counted, in UTC; nothing where the counters were never reset.
    pub counted_since: Option<String>,
    /// Another index of the table that serves the same queries and rejects the same rows.
    pub duplicate_of: Option<String>,
    /// `pg_get_indexdef`.
    pub definition: String,
    #[serde(skip)]
    pub(crate) oid: i64,
    #[serde(skip)]
    pub(crate) table_oid: i64,
    #[serde(skip)]
    pub(crate) table_kind: String,
    #[serde(skip)]
    pub(crate) whole: bool,
}

impl Listed {
    /// Its table, as far as a step of the work needs to know it.
    pub(crate) fn table(&self) -> Table {
        let (schema, name) = (self.schema.clone(), self.table.clone());
        Table::known(self.table_oid, self.table_oid, schema, name, self.table_kind.clone())
    }
}

/// Whether queries use an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// They do.
    Valid,
    /// It is being built at this moment.
    Building,
    /// They do not: a build that failed has left it, or a part of a partitioned table has none.
    Invalid,
}

/// A B-tree of one level of pages as full as its fillfactor, by the average width of its columns: what is above that is
/// bloat. Equal keys are kept together since PostgreSQL 13, so the estimate is a lower bound.
const BLOAT: &str = "(SELECT CASE WHEN count(*) = count(s.width) AND c.reltuples > 0 THEN greatest(0, \
         pg_catalog.pg_relation_size(c.oid::regclass) - 8192 * (1 + ceil(c.reltuples * (12 + 8 * ceil(sum(s.width) / 8.0)) \
         / ((8192 - 40) * coalesce((SELECT split_part(o, '=', 2)::float8 FROM pg_catalog.unnest(c.reloptions) o WHERE o LIKE 'fillfactor=%'), 90) / 100)))) END::int8 \
      FROM pg_catalog.pg_attribute a LEFT JOIN LATERAL (SELECT max(st.avg_width) AS width FROM pg_catalog.pg_stats st WHERE st.schemaname = n.nspname \
         AND (st.tablename, st.attname) IN ((t.relname, (SELECT ta.attname FROM pg_catalog.pg_attribute ta WHERE ta.attrelid = t.oid AND ta.attnum = i.indkey[a.attnum - 1])), \
              (c.relname, a.attname))) s ON true \
      WHERE a.attrelid = c.oid AND c.relkind = 'i' AND i.indisvalid AND c.relam = (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'btree'))";

/// Of two that are the same the one without a constraint, not unique or younger is the duplicate.
const DUPLICATE: &str = "(SELECT min(d.relname::text) FROM pg_catalog.pg_index j JOIN pg_catalog.pg_class d ON d.oid = j.indexrelid \
      WHERE j.indrelid = i.indrelid AND j.indexrelid <> i.indexrelid AND j.indisvalid AND i.indisvalid AND d.relam = c.relam \
        AND j.indkey = i.indkey AND j.indnatts = i.indnatts AND j.indnkeyatts = i.indnkeyatts AND j.indclass = i.indclass \
        AND j.indcollation = i.indcollation AND j.indoption = i.indoption AND j.indimmediate >= i.indimmediate \
        AND pg_catalog.pg_get_expr(j.indexprs, j.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indexprs, i.indrelid) \
        AND pg_catalog.pg_get_expr(j.indpred, j.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indpred, i.indrelid) \
        AND pg_catalog.to_jsonb(j) ->> 'indnullsnotdistinct' IS NOT DISTINCT FROM pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' \
        AND NOT i.indisexclusion AND NOT j.indisexclusion AND (j.indisunique OR NOT i.indisunique) \
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint x WHERE x.conindid = i.indexrelid) AND NOT c.relispartition \
        AND (j.indisunique > i.indisunique OR EXISTS (SELECT FROM pg_catalog.pg_constraint x WHERE x.conindid = j.indexrelid) \
             OR j.indexrelid < i.indexrelid))";

/// Reads every index of the database but those of the server's own schemas and of the ledger. Reads only; what our role is
/// not shown (statistics, the builds of others) is left out.
pub async fn list(
    session: &mut Session,
    declarations: &Declarations,
    ledger: &str,
) -> Result<Vec<Listed>, Error> {
    let last_scan = match session.version_number() {
        160_000.. => {
            "pg_catalog.to_char(pg_catalog.pg_stat_get_lastscan(c.oid) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        }
        _ => "NULL::text",
    };
    let text = format!(
        "SELECT n.nspname::text, t.relname::text, c.relname::text, \
           CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'valid' \
                WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid) THEN 'building' ELSE 'invalid' END, \
           i.indisunique AND i.indisready AND NOT i.indisvalid AND c.relkind = 'i', i.indisunique, \
           (SELECT k.conname::text FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x') LIMIT 1), \
           (SELECT p.relname::text FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhparent WHERE h.inhrelid = c.oid), \
           z.size, {BLOAT}, z.scans, {last_scan}, \
           (SELECT pg_catalog.to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
            FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()), \
           {DUPLICATE}, pg_catalog.pg_get_indexdef(c.oid), c.oid::int8, t.oid::int8, t.relkind::text, c.relkind = 'I' \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN LATERAL (SELECT coalesce(sum(pg_catalog.pg_relation_size(l.relid)), 0)::int8 AS size, \
                coalesce(sum(pg_catalog.pg_stat_get_numscans(l.relid)), 0)::int8 AS scans \
              FROM (SELECT c.oid::regclass AS relid WHERE c.relkind = 'i' UNION ALL \
                    SELECT p.relid FROM pg_catalog.pg_partition_tree(c.oid::regclass) p WHERE c.relkind = 'I' AND p.isleaf) l) z ON true \
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', $1) AND n.nspname NOT LIKE 'pg\\_temp\\_%' \
           AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%' \
         ORDER BY 1, 2, 3"
    );
    let rows = query(&text).bind(ledger).fetch_all(session.connection()).await?;
    let mut listed = rows.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
    for index in &mut listed {
        let declared = declarations.indexes.iter().find(|declared| {
            declared.name == index.name
                && declared.table == index.table
                && declared.schema.as_ref().is_none_or(|schema| *schema == index.schema)
        });
        index.declared_at = declared.map(crate::Declaration::place);
    }
    blame_the_undeclared(&mut listed);
    Ok(listed)
}

/// Of two that are the same in every way, the one that no file declares is the duplicate, whichever is older.
fn blame_the_undeclared(listed: &mut [Listed]) {
    for number in 0..listed.len() {
        let declared = &listed[number];
        let Some(other) = declared.duplicate_of.as_ref().filter(|_| declared.declared_at.is_some()) else {
            continue;
        };
        let same = |twin: &Listed| {
            twin.table_oid == declared.table_oid
                && twin.name == *other
                && twin.declared_at.is_none()
                && twin.constraint.is_none()
                && twin.unique == declared.unique
        };
        if let Some(twin) = listed.iter().position(same) {
            listed[twin].duplicate_of = Some(listed[number].name.clone());
            listed[number].duplicate_of = None;
        }
    }
}

fn listed(row: &PgRow) -> Result<Listed, Error> {
    let name: String = row.try_get(2)?;
    let condition = match row.try_get::<String, _>(3)?.as_str() {
        "valid" => Condition::Valid,
        "building" => Condition::Building,
        _ => Condition::Invalid,
    };
    Ok(Listed {
        schema: row.try_get(0)?,
        table: row.try_get(1)?,
        declared_at: None,
        condition,
        rejects_rows: row.try_get(4)?,
        unique: row.try_get(5)?,
        constraint: row.try_get(6)?,
        part_of: row.try_get(7)?,
        leftover: condition == Condition::Invalid && sweep::is_of_reindex(&name),
        size_bytes: row.try_get(8)?,
        bloat_bytes: row.try_get(9)?,
        scans: row.try_get(10)?,
        last_scan: row.try_get(11)?,
        counted_since: row.try_get(12)?,
        duplicate_of: row.try_get(13)?,
        definition: row.try_get(14)?,
        oid: row.try_get(15)?,
        table_oid: row.try_get(16)?,
        table_kind: row.try_get(17)?,
        whole: row.try_get(18)?,
        name,
    })
}
