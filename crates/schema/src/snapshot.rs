//! A snapshot: the schema that a number of files make, in one text, with the hash of every file it stands for.
//!
//! It begins with `-- pgdeploy snapshot`, then a line for each file: `-- 0001_tenants <sha256>`.

use postgres::{Notices, Session, Stage};
use sql::{Problem, Source, literal};

use crate::attempt::Records;
use crate::event::{Event, milliseconds};
use crate::failure::Failure;
use crate::fence::{Fence, Held};
use crate::look::Look;
use crate::migration::{Migration, Migrations};
use crate::patience::{Patience, Tries};
use crate::refusal::Text;
use crate::run::{Done, Settings};
use crate::shape::Shape;

/// The first line of a snapshot.
const OPENING: &str = "-- pgdeploy snapshot";

/// A snapshot and the files that it stands for.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its text.
    pub source: Source,
    /// Those files, in order.
    pub covered: Vec<Migration>,
}

/// The text of a snapshot: what pg_dump wrote, under the hashes of the files that made it.
pub fn compose(migrations: &Migrations, server: &str, dump: &str) -> String {
    let mut text = format!(
        "{OPENING} from PostgreSQL {server}: what these files make. Written by `pgdeploy snapshot`.\n"
    );
    for migration in &migrations.0 {
        text.push_str(&format!("-- {} {}\n", migration.id(), migration.source.sha256));
    }
    text.push('\n');
    // Newer minor releases of pg_dump fence their output with commands of psql.
    let lines = dump.lines().filter(|line| !line.starts_with('\\'));
    lines.for_each(|line| {
        text.push_str(line);
        text.push('\n');
    });
    text
}

impl Snapshot {
    /// Holds a snapshot against the files.
    ///
    /// # Errors
    /// E126 where it was not made of these files: an older text of one, or one that is gone.
    pub fn of(source: Source, migrations: &Migrations) -> Result<Self, Problem> {
        let stale = |message: String| {
            Problem::with_file("E126", &source.path, message).help("write it anew: pgdeploy snapshot")
        };
        let mut lines = source.text.lines();
        if !lines.next().is_some_and(|first| first.starts_with(OPENING)) {
            return Err(stale("does not say which files it stands for".into()));
        }
        let mut covered = Vec::new();
        for line in lines.take_while(|line| line.starts_with("-- ")) {
            let Some((id, hash)) = line[3..].split_once(' ') else { break };
            let Some(file) = migrations.0.iter().find(|file| file.id() == id) else {
                return Err(stale(format!("stands for {id}, and there is no such file")));
            };
            if file.source.sha256 != hash {
                return Err(stale(format!("was made from another text of {id}")));
            }
            covered.push(file.clone());
        }
        match covered.is_empty() {
            true => Err(stale("stands for no file".into())),
            false => Ok(Self { source, covered }),
        }
    }

    /// Loads the text and writes the rows of the files that it stands for, in one transaction.
    pub(crate) async fn load(
        &self,
        stage: &Stage<'_, Event>,
        settings: &Settings,
        session: &mut Session,
    ) -> Result<Vec<Done>, Failure> {
        let ledger = sql::identifier(stage.ledger);
        let records = |_: &Tries| Records {
            enter: format!(
                "{} INSERT INTO {ledger}.migrations (version, name, file, checksum, raw_checksum, token_checksum, phase, down_sql, \
                   down_checksum, kind, deployment, xid) \
                 SELECT v.version, v.name, v.file, v.checksum, v.raw, v.token, v.phase, v.down, v.down_checksum, 'snapshot', {}, \
                   pg_catalog.pg_current_xact_id()::text FROM fence, (VALUES {}) \
                   AS v(version, name, file, checksum, raw, token, phase, down, down_checksum) WHERE open RETURNING xid",
                Fence::of(stage.lock).enter(Held::Transaction),
                stage.deployment,
                self.covered.iter().map(row).collect::<Vec<_>>().join(", ")
            ),
            known: None,
            leave: format!(
                "UPDATE {ledger}.migrations SET applied_at = pg_catalog.clock_timestamp(), duration_ms = 0 WHERE kind = 'snapshot' AND {{same}}"
            ),
            done: format!(
                "SELECT 1 FROM {ledger}.migrations WHERE kind = 'snapshot' AND xid = {{xid}} LIMIT 1"
            ),
            found: None,
        };
        let path = self.source.path.display().to_string();
        let prologue = settings.prologue();
        let (look, notices) = (Look::new(&[], settings), Notices::default());
        let text = Text::whole(&self.source, &Shape::of(&self.source));
        let patience = Patience {
            stage,
            settings,
            migration: &path,
            text,
            prologue: prologue.as_deref(),
            alone: true,
            durable: true,
            look: &look,
            notices: &notices,
        };
        let tries = patience.run(session, records).await?;
        let (covers, duration_ms) = (self.covered.len(), milliseconds(tries.duration));
        (stage.events)(Event::Snapshot { path, covers, duration_ms });
        let done = |migration: &Migration| Done {
            migration: migration.id().to_owned(),
            duration: tries.duration / u32::try_from(covers).unwrap_or(1).max(1),
            retries: 0,
            waited: std::time::Duration::ZERO,
            blocked_by: Vec::new(),
        };
        Ok(self.covered.iter().map(done).collect())
    }
}

/// The values of a file's history row.
fn row(migration: &Migration) -> String {
    let source = &migration.source;
    let optional = |text: Option<&str>| text.map_or("NULL::text".to_owned(), literal);
    let down = migration.down.as_ref();
    format!(
        "({}::bigint, {}, {}, {}, {}, {}, '{}', {}, {})",
        migration.version,
        literal(&migration.name),
        literal(migration.id()),
        literal(&source.sha256),
        literal(&source.raw_sha256),
        optional(source.token_sha256().as_deref()),
        migration.header.phase.as_str(),
        optional(down.map(|down| &*down.text)),
        optional(down.map(|down| down.sha256.as_str())),
    )
}
