//! Going back: what was applied last is taken back first, by the text that stood beside each file when it was applied.

use std::path::Path;

use postgres::{Error, Notices, Row, Session, Stage};
use sql::ast::{AlterTableType, ObjectType};
use sql::{NodeEnum, Problem, Source};

use crate::attempt::Records;
use crate::event::{Event, milliseconds};
use crate::failure::{Failure, GateError};
use crate::fence::{Fence, Held};
use crate::look::Look;
use crate::patience::{Patience, Tries};
use crate::refusal::Text;
use crate::repair::{moved, vouched};
use crate::run::{Done, Settings};
use crate::shape::Shape;

/// A migration to be taken back.
#[derive(Debug, Clone)]
pub struct Undo {
    /// Its number.
    pub version: u64,
    /// File name without ending.
    pub migration: String,
    /// The SQL that takes it back, as it was stored.
    pub down: Source,
}

/// What a rollback would do.
#[derive(Debug, Clone, Default)]
pub struct Rollback {
    /// To be taken back, in this order.
    pub steps: Vec<Undo>,
    /// Those of them without a way back: while there is one, nothing may run.
    pub without: Vec<String>,
    /// Statements that take data with them.
    pub losses: Vec<Problem>,
}

impl Rollback {
    /// Whether there is nothing to take back.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.without.is_empty()
    }
}

/// What is to be taken back so that `to` is the newest migration that is in, the last applied first; reads only.
pub async fn plan_rollback(session: &mut Session, to: u64, ledger: &str) -> Result<Rollback, Error> {
    let text = format!(
        "SELECT version, coalesce(file, version || '_' || name), down_sql FROM {}.migrations \
         WHERE version > {to} ORDER BY applied_at DESC NULLS FIRST, version DESC",
        sql::identifier(ledger)
    );
    let mut rollback = Rollback::default();
    for row in session.all(&text).await? {
        let (version, migration): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let down: Option<String> = row.try_get(2)?;
        let path = format!("{migration}.down.sql (as stored when it was applied)");
        match down.map(|down| Source::from_bytes(Path::new(&path), down.into_bytes())) {
            Some(Ok(down)) => {
                rollback.losses.extend(losses(&down));
                rollback.steps.push(Undo { version: version.unsigned_abs(), migration, down });
            }
            _ => rollback.without.push(migration),
        }
    }
    Ok(rollback)
}

/// Takes back, in order; stops at the first failure.
pub async fn rollback(
    stage: &Stage<'_, Event>,
    rollback: &Rollback,
    reason: &str,
    settings: &Settings,
) -> Result<Vec<Done>, GateError> {
    let mut undone = Vec::new();
    match steps(stage, rollback, reason, settings, &mut undone).await {
        Ok(()) => Ok(undone),
        Err(failure) => Err(GateError { failure, applied: undone }),
    }
}

async fn steps(
    stage: &Stage<'_, Event>,
    rollback: &Rollback,
    reason: &str,
    settings: &Settings,
    undone: &mut Vec<Done>,
) -> Result<(), Failure> {
    let mut session = stage.lock.session("schema").await?;
    for undo in &rollback.steps {
        if stage.stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
        (stage.events)(Event::RollingBack { migration: undo.migration.clone() });
        let tries = step(stage, undo, reason, settings, &mut session).await.inspect_err(|failure| {
            let (code, message) = (failure.code().to_owned(), failure.to_string());
            (stage.events)(Event::Failed { migration: undo.migration.clone(), code, message });
        })?;
        (stage.events)(Event::RolledBack {
            migration: undo.migration.clone(),
            duration_ms: milliseconds(tries.duration),
        });
        undone.push(Done {
            migration: undo.migration.clone(),
            duration: tries.duration,
            retries: tries.retries,
            waited: tries.waited,
            blocked_by: tries.blocked_by,
        });
    }
    session.close().await;
    Ok(())
}

async fn step(
    stage: &Stage<'_, Event>,
    undo: &Undo,
    reason: &str,
    settings: &Settings,
    session: &mut Session,
) -> Result<Tries, Failure> {
    let table = format!("{}.migrations", sql::identifier(stage.ledger));
    let records = |_: &Tries| Records {
        enter: format!(
            "{}; {}, {} SELECT pg_catalog.pg_current_xact_id()::text FROM noted",
            vouched(stage.deployment, reason),
            Fence::of(stage.lock).enter(Held::Transaction),
            moved(&table, undo.version, "rolled back", true)
        ),
        known: None,
        leave: format!(
            "UPDATE {table}_undone SET undone_at = pg_catalog.clock_timestamp() WHERE version = {} AND deployment = {} AND {{same}}",
            undo.version, stage.deployment
        ),
        done: format!(
            "SELECT 1 FROM {table}_undone WHERE version = {} AND deployment = {} AND how = 'rolled back'",
            undo.version, stage.deployment
        ),
        found: None,
    };
    let prologue = settings.prologue();
    let shape = Shape::of(&undo.down);
    let (look, notices) = (Look::new(&shape.tables, settings), Notices::default());
    let text = Text::whole(&undo.down, &shape);
    let patience = Patience {
        stage,
        settings,
        migration: &undo.migration,
        text,
        prologue: prologue.as_deref(),
        alone: true,
        durable: true,
        look: &look,
        notices: &notices,
    };
    let tries = patience.run(session, records).await;
    for notice in notices.take() {
        (stage.events)(Event::Notice { migration: undo.migration.clone(), notice });
    }
    tries
}

/// The statements of a text that take rows with them.
fn losses(source: &Source) -> Vec<Problem> {
    let found = sql::parse(source, |statements| {
        let losing = statements.iter().filter(|statement| loses(&statement.node));
        losing
            .map(|statement| Problem::at("E128", source, statement.span.clone(), "takes data with it"))
            .collect::<Vec<_>>()
    });
    found.unwrap_or_default()
}

fn loses(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DropStmt(drop) => matches!(
            drop.remove_type(),
            ObjectType::ObjectTable | ObjectType::ObjectMatview | ObjectType::ObjectSchema | ObjectType::ObjectSequence
        ),
        NodeEnum::AlterTableStmt(alter) => alter.cmds.iter().any(|command| {
            matches!(&command.node, Some(NodeEnum::AlterTableCmd(command))
                if matches!(command.subtype(), AlterTableType::AtDropColumn | AlterTableType::AtAlterColumnType))
        }),
        NodeEnum::TruncateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::UpdateStmt(_) => true,
        // What a block or a procedure does is not told by its text.
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) => true,
        _ => false,
    }
}
