//! One migration, from its first record to its last.

use postgres::{Notices, Session, Stage};
use sql::literal;

use crate::attempt::Records;
use crate::event::Event;
use crate::failure::Failure;
use crate::fence::Fence;
use crate::history::Progress;
use crate::look::Look;
use crate::migration::Migration;
use crate::patience::{Patience, Tries};
use crate::refusal::Text;
use crate::run::{Done, Settings};
use crate::statements::Statements;

/// What else there is to know of a migration whose turn it is.
pub(crate) struct Turn<'a> {
    /// How far an earlier deploy came, where its statements run one by one.
    pub(crate) progress: Option<&'a Progress>,
    /// Whether a file that is one transaction is on disk at its end, or with the next COMMIT that waits for the disk.
    pub(crate) durable: bool,
    /// The tables that are looked at first.
    pub(crate) tables: Vec<String>,
}

/// Applies a migration.
pub(crate) async fn migrate(
    stage: &Stage<'_, Event>,
    settings: &Settings,
    session: &mut Session,
    migration: &Migration,
    turn: Turn<'_>,
) -> Result<Done, Failure> {
    let notices = Notices::default();
    let look = Look::new(&turn.tables, settings);
    let tries = if migration.header.transaction {
        let prologue = settings.prologue();
        let patience = Patience {
            stage,
            settings,
            migration: migration.id(),
            text: Text::whole(&migration.source, migration.shape()),
            prologue: prologue.as_deref(),
            alone: true,
            durable: turn.durable,
            look: &look,
            notices: &notices,
        };
        patience.run(session, |tries| whole(stage, migration, tries)).await
    } else {
        let statements = Statements { stage, settings, migration, look, notices: &notices };
        let done = statements.run(session, turn.progress).await;
        // It is in: a session that cannot be brought back to its defaults is replaced, which may fail later by itself.
        if done.is_ok()
            && session.reset().await.is_err()
            && let Ok(fresh) = stage.lock.session("schema").await
        {
            *session = fresh;
        }
        done
    };
    // Told with the file, whether it came in or not.
    tell(stage, migration, &notices);
    let tries = tries?;
    Ok(Done {
        migration: migration.id().to_owned(),
        duration: tries.duration,
        retries: tries.retries,
        waited: tries.waited,
        blocked_by: tries.blocked_by,
    })
}

/// Tells what the server has said since the last time.
pub(crate) fn tell(stage: &Stage<'_, Event>, migration: &Migration, notices: &Notices) {
    for notice in notices.take() {
        (stage.events)(Event::Notice { migration: migration.id().to_owned(), notice });
    }
}

/// The records of a file that is one transaction: its row is written at the end, since the execute lock alone keeps others
/// off, and a row that a text commits by itself would say of half a file that it is in.
fn whole(stage: &Stage<'_, Event>, migration: &Migration, tries: &Tries) -> Records {
    let row =
        format!("FROM {}.migrations WHERE version = {}", sql::identifier(stage.ledger), migration.version);
    let insert = insert(stage, migration, "'applied', NULL, NULL, NULL", tries);
    Records {
        enter: Fence::of(stage.lock).transaction(),
        known: Some(format!("SELECT EXISTS (SELECT {row})")),
        leave: insert(", applied_at, duration_ms", ", pg_catalog.clock_timestamp(), {took} WHERE {same}"),
        done: format!("SELECT 1 {row} AND xid = {{xid}}"),
        found: Some(format!(
            "SELECT 1 {row} AND status = 'applied' AND checksum = {}",
            literal(&migration.source.sha256)
        )),
    }
}

/// The statement that writes the history row, given more columns and what follows their values; `progress` has the values of
/// status, statements, statements_total and statements_done.
pub(crate) fn insert(
    stage: &Stage<'_, Event>,
    migration: &Migration,
    progress: &str,
    tries: &Tries,
) -> impl Fn(&str, &str) -> String + use<> {
    let source = &migration.source;
    let optional = |text: Option<&str>| text.map_or("NULL".to_owned(), literal);
    let requires: Vec<String> = migration.header.requires.iter().map(|name| literal(name)).collect();
    let into = format!("INSERT INTO {}.migrations", sql::identifier(stage.ledger));
    let values = format!(
        "{version}, {name}, {file}, {checksum}, {raw}, {token}, '{phase}', ARRAY[{requires}]::text[], {down}, {down_checksum}, \
         {deployment}, {retries}, {waited}, {progress}, pg_catalog.transaction_timestamp(), pg_catalog.pg_current_xact_id()::text",
        version = migration.version,
        name = literal(&migration.name),
        file = literal(migration.id()),
        checksum = literal(&source.sha256),
        raw = literal(&source.raw_sha256),
        token = optional(source.token_sha256().as_deref()),
        phase = migration.header.phase.as_str(),
        requires = requires.join(", "),
        down = optional(migration.down.as_ref().map(|down| &*down.text)),
        down_checksum = optional(migration.down.as_ref().map(|down| down.sha256.as_str())),
        deployment = stage.deployment,
        retries = tries.retries,
        waited = tries.waited.as_millis(),
    );
    move |columns, rest| {
        format!(
            "{into} (version, name, file, checksum, raw_checksum, token_checksum, phase, requires, down_sql, down_checksum, \
               deployment, retries, waited_ms, status, statements, statements_total, statements_done, started_at, xid{columns}) \
             SELECT {values}{rest}"
        )
    }
}
