//! What a run would be like, found out without running anything.

use postgres::{Error, Row, Session, query};
use serde::Serialize;

use crate::chunk::{Chunk, Place};
use crate::definition::{Definition, Definitions};
use crate::edit::edited;
use crate::failure::told;
use crate::header::NewRows;
use crate::lookup::{self, Lookup};
use crate::names::{Names, Over, Span};
use crate::range::{Range, Reach};
use crate::relation::{Division, Relation};
use crate::settings::{Settings, Walk};
use crate::statement::Kind;
use crate::strides::{self, STRIPES, Strides};
use crate::{texts, verify};

/// What a run would be like.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Preflight {
    /// File name without ending.
    pub id: String,
    /// The table, qualified.
    pub table: String,
    /// `blocks` or `keys`, and in how many stripes.
    pub walk: String,
    /// What has a progress of its own: `table`, `partitions`, `tenants`.
    pub units: String,
    /// Rows that match, by a sample of the table.
    pub estimated_rows: u64,
    /// Updates that can stay on their page, in percent, about; nothing where rows are not rewritten.
    pub hot_percent: Option<u8>,
    /// Indexes on columns that are assigned to: each of them makes every update write to all indexes.
    pub indexes: Vec<String>,
    /// Triggers that fire for each row.
    pub triggers: Vec<String>,
    /// The plan of a sample batch.
    pub explain: Vec<String>,
    /// The statement of each batch, as it is sent: with the rows of the first range.
    pub sql: String,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Looks at one backfill; the error text says why it cannot run.
pub async fn preflight(
    session: &mut Session,
    definitions: &Definitions,
    id: &str,
    ledger: &str,
    settings: &Settings,
) -> Result<Result<Preflight, String>, Error> {
    let Some(definition) = definitions.items().iter().find(|definition| definition.id == id) else {
        return Ok(Err(format!("there is no backfill {id} in this release")));
    };
    let relation = match lookup::look_up(session, definition).await? {
        Lookup::Ready(relation) => relation,
        Lookup::Waiting(problem) | Lookup::Refused(problem) => return Ok(Err(told(&problem))),
    };
    let (over, walk) = walk(definition, &relation, settings);
    let composed = (
        texts::compose(definition, &relation, ledger),
        strides::compose(definition, &relation, ledger, over),
        Names::of(definition, &relation, ledger),
    );
    let (Some(texts), Some(strides), Some(names)) = composed else {
        return Ok(Err(told(&crate::plan::not_composed(definition))));
    };
    let range = first_range(over, &relation, session, &texts).await?;
    let place = strides.first_place();
    let estimated_rows = verify::estimate(session, &relation, &texts).await?;
    let explain = match edited(&definition.source, &names, Span::Plain) {
        Some(text) => explained(session, &strides.filled(&text, &range, place)).await?,
        None => Vec::new(),
    };
    let indexes = indexes(session, &relation, definition).await?;
    let notes = notes(session, definition, &relation, settings).await?;
    let rewrites = matches!(definition.kind, Kind::Update | Kind::UpdateFrom);
    let hot_percent = rewrites.then_some(match (indexes.is_empty(), strides.stripes) {
        (false, _) => 0,
        (true, STRIPES) => 87,
        (true, _) => 10,
    });
    Ok(Ok(Preflight {
        id: definition.id.clone(),
        table: relation.name.clone(),
        walk: format!("{walk} in {} stripes", strides.stripes),
        units: match relation.division {
            Division::Whole => "table",
            Division::Partitions => "partitions",
            Division::Tenants(..) => "tenants",
        }
        .to_owned(),
        estimated_rows,
        hot_percent,
        indexes,
        triggers: triggers(session, &relation, definition).await?,
        explain,
        sql: strides.text(&range, place, false),
        notes,
    }))
}

fn walk(definition: &Definition, relation: &Relation, settings: &Settings) -> (Over, &'static str) {
    let blocks = settings.walk == Walk::Blocks && !definition.is_once();
    match relation.has_blocks || matches!(relation.division, Division::Partitions) {
        true if blocks => (Over::Blocks, "blocks"),
        _ => (Over::Keys, "keys"),
    }
}

/// A range to show: the first blocks, or the first keys.
async fn first_range(
    over: Over,
    relation: &Relation,
    session: &mut Session,
    texts: &texts::Texts,
) -> Result<Range, Error> {
    let reach = match over {
        Over::Blocks => Reach::Blocks,
        Over::Keys => {
            let hi = verify::greatest_key(session, texts).await?;
            Reach::Keys { lo: None, hi: hi.unwrap_or_else(|| vec![String::new(); relation.keys.len()]) }
        }
    };
    Ok(Range {
        id: 0,
        token: 0,
        relfilenode: 0,
        end_block: 1,
        block: 0,
        step: 0,
        chunk: None,
        size: 0,
        reach,
    })
}

async fn explained(session: &mut Session, text: &str) -> Result<Vec<String>, Error> {
    session.run("BEGIN READ ONLY; SET LOCAL statement_timeout = '2s'; SET LOCAL jit = off").await?;
    let rows = session.all(&format!("EXPLAIN (COSTS off) {text}")).await;
    session.run("ROLLBACK").await?;
    match rows {
        Ok(rows) => rows.iter().map(|row| Ok(row.try_get(0)?)).collect(),
        Err(error) if error.is_lost_connection() => Err(error),
        Err(error) => Ok(vec![format!("cannot be explained: {error}")]),
    }
}

/// Indexes that hold a column that is assigned to, also in an expression or a predicate.
async fn indexes(
    session: &mut Session,
    relation: &Relation,
    definition: &Definition,
) -> Result<Vec<String>, Error> {
    let rows = query(
        "SELECT DISTINCT i.indexrelid::regclass::text FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attname = ANY ($2) \
         WHERE i.indrelid = $1::int8::oid AND m.amname <> 'brin' AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_catalog.pg_depend d \
           WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))",
    )
    .bind(relation.oid)
    .bind(definition.assigned.clone())
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Triggers of the rows that are changed, with whom they call.
async fn triggers(
    session: &mut Session,
    relation: &Relation,
    definition: &Definition,
) -> Result<Vec<String>, Error> {
    // tgtype: 4 INSERT, 8 DELETE, 16 UPDATE; an UPDATE OF other columns does not fire.
    let event = match definition.kind {
        Kind::Update | Kind::UpdateFrom => 16,
        Kind::Delete => 8,
        Kind::InsertSelect => return Ok(Vec::new()),
    };
    let rows = query(
        "SELECT pg_catalog.format('%s calls %s%s', t.tgname, t.tgfoid::regproc, CASE WHEN t.tgtype::int & 1 = 0 THEN ' for each batch' ELSE '' END) \
         FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1::int8::oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::int & $2 <> 0 \
           AND (pg_catalog.cardinality(t.tgattr::int2[]) = 0 OR $2 <> 16 OR EXISTS (SELECT FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY ($3))) ORDER BY t.tgname",
    )
    .bind(relation.oid)
    .bind(event)
    .bind(definition.assigned.clone())
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn notes(
    session: &mut Session,
    definition: &Definition,
    relation: &Relation,
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    let header = &definition.header;
    if header.tenant.is_some() && matches!(relation.division, Division::Whole) {
        notes.push("no index begins with the tenant's column: the table is walked as one".to_owned());
    }
    let row = query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::int8::oid AND a.attname = ANY ($2) AND NOT a.atthasdef), \
           EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1::int8::oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' \
             AND t.tgtype::int & 4 <> 0), \
           coalesce($3::date < current_date, false), \
           $4::text IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1::int8::oid AND c.conname = $4)",
    )
    .bind(relation.oid)
    .bind(definition.assigned.clone())
    .bind(header.delete_by.clone())
    .bind(header.constraint.clone())
    .fetch_one(session.connection())
    .await?;
    let (bare, triggered, late, no_constraint): (bool, bool, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    match header.new_rows {
        Some(NewRows::Default) if bare => {
            notes.push("new_rows: default, but a column that is assigned to has none".to_owned());
        }
        Some(NewRows::Trigger) if !triggered => {
            notes.push("new_rows: trigger, but the table has none for INSERT".to_owned());
        }
        _ => {}
    }
    if late {
        notes.push(format!("was to be deleted by {}", header.delete_by.as_deref().unwrap_or_default()));
    }
    if no_constraint {
        notes.push(format!("there is no constraint {}", header.constraint.as_deref().unwrap_or_default()));
    }
    if let Some(closed) = crate::window::outside(session, header.window.as_ref()).await? {
        notes.push(format!("it is outside of its window {} now", closed.window));
    }
    if header.over(settings).duty < 1.0 {
        notes.push(format!("works {:.0} % of the time", header.over(settings).duty * 100.0));
    }
    Ok(notes)
}

impl Strides {
    fn first_place(&self) -> Place {
        let chunk = Chunk { blocks: 8, stripes: self.stripes, parts: 1, first: 1 };
        Place { block: 0, chunk, step: 0 }
    }
}
