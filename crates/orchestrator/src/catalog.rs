//! What the target's catalog says about the names in the pending files: the guard's knowledge in `plan` and `deploy`.

use std::collections::{BTreeMap, BTreeSet};

use guard::{Catalog, ConstraintFacts, Name, TableFacts};
use postgres::{Error, PgRow, Row, Session, query};
use serde::Deserialize;
use serde_json::Value;

/// Tables with their size now (`reltuples` alone may be as old as the last ANALYZE), columns, constraints and indexes.
const TABLES: &str = "SELECT n.nspname::text, c.relname::text, c.relkind = 'p', \
       CASE WHEN c.relkind = 'p' THEN (SELECT CASE WHEN count(*) FILTER (WHERE l.reltuples < 0) = 0 THEN coalesce(sum(l.reltuples), 0)::int8 END \
              FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf) \
            WHEN c.reltuples >= 0 AND (c.reltuples > 0 OR c.relpages > 0) THEN c.reltuples::int8 END, \
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_catalog.pg_relation_size(t.relid)), 0)::int8 FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) \
            ELSE pg_catalog.pg_relation_size(c.oid) END, \
       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull)), '[]') \
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', o.conname, 'definition', pg_catalog.pg_get_constraintdef(o.oid), 'valid', o.convalidated)), '[]') \
          FROM pg_catalog.pg_constraint o WHERE o.conrelid = c.oid AND o.contype IN ('c', 'f', 'p', 'u', 'n')), \
       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', i.relname, 'columns', \
                 (SELECT coalesce(pg_catalog.jsonb_agg(a.attname ORDER BY k.place), '[]') FROM pg_catalog.unnest(x.indkey::int2[]) WITH ORDINALITY k(number, place) \
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number WHERE k.place <= x.indnkeyatts AND x.indexprs IS NULL))), '[]') \
          FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid AND x.indisvalid) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relname = ANY ($1) AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";

const DOMAINS: &str = "SELECT typname::text FROM pg_catalog.pg_type t WHERE typtype = 'd' AND typname = ANY ($1) \
     AND (typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contypid = t.oid))";

/// Routines with a body that can be read, those of extensions left out.
const ROUTINES: &str = "SELECT pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p \
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     WHERE p.proname = ANY ($1) AND p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql') \
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')";

const UTC: &str =
    "SELECT current_setting('TimeZone') IN ('UTC', 'Etc/UTC', 'GMT', 'Etc/GMT', 'UCT', 'Zulu', 'Universal')";

/// How many calls deep routines that the files do not name are followed.
const DEEPEST: usize = 8;

#[derive(Deserialize)]
struct Column {
    name: String,
    r#type: String,
    not_null: bool,
}

#[derive(Deserialize)]
struct Constraint {
    name: String,
    definition: String,
    valid: bool,
}

#[derive(Deserialize)]
struct Index {
    name: String,
    columns: Vec<String>,
}

/// Reads what is known of `names`: every word of the pending files that may be one.
pub(crate) async fn read(session: &mut Session, names: BTreeSet<String>) -> Result<Catalog, Error> {
    let list: Vec<String> = names.iter().cloned().collect();
    let mut catalog = Catalog { asked: names, ..Catalog::default() };
    for row in query(TABLES).bind(&list).fetch_all(session.connection()).await? {
        let (name, facts) = table(&row)?;
        catalog.tables.insert(name, facts);
    }
    for row in query(DOMAINS).bind(&list).fetch_all(session.connection()).await? {
        catalog.constrained_domains.insert(row.try_get(0)?);
    }
    catalog.routines = routines(session, list).await?;
    catalog.utc = session.one(UTC).await?.try_get(0)?;
    Ok(catalog)
}

fn table(row: &PgRow) -> Result<(Name, TableFacts), Error> {
    let name = Name { schema: Some(row.try_get(0)?), name: row.try_get(1)? };
    let unsigned = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let columns: Vec<Column> = list(row.try_get(5)?);
    let constraints: Vec<Constraint> = list(row.try_get(6)?);
    let indexes: Vec<Index> = list(row.try_get(7)?);
    let facts = TableFacts {
        partitioned: row.try_get(2)?,
        estimated_rows: unsigned(row.try_get(3)?),
        bytes: unsigned(row.try_get(4)?),
        not_null: columns.iter().filter(|column| column.not_null).map(|column| column.name.clone()).collect(),
        types: columns.into_iter().map(|column| (column.name, column.r#type)).collect(),
        constraints: constraints
            .into_iter()
            .map(|each| (each.name, ConstraintFacts { definition: each.definition, valid: each.valid }))
            .collect(),
        indexes: indexes.into_iter().map(|index| (index.name, index.columns)).collect::<BTreeMap<_, _>>(),
    };
    Ok((name, facts))
}

/// What the query above has put together is of our own making.
fn list<T: serde::de::DeserializeOwned>(value: Value) -> Vec<T> {
    serde_json::from_value(value).unwrap_or_default()
}

/// The routines that the files name, and those that these call.
async fn routines(session: &mut Session, mut names: Vec<String>) -> Result<Vec<String>, Error> {
    let mut definitions: Vec<String> = Vec::new();
    let mut asked: BTreeSet<String> = names.iter().cloned().collect();
    for _ in 0..DEEPEST {
        let rows = query(ROUTINES).bind(&names).fetch_all(session.connection()).await?;
        names.clear();
        for row in rows {
            let definition: String = row.try_get(0)?;
            names.extend(guard::names(&definition).into_iter().filter(|name| asked.insert(name.clone())));
            definitions.push(definition);
        }
        if names.is_empty() {
            break;
        }
    }
    Ok(definitions)
}
