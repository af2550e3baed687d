//! Mending a history, one migration at a time: what a person vouches for is shown first, held against the catalog, and
//! recorded with its reason.

use postgres::{Error, RunLock, Session};
use sql::{identifier, literal};

use crate::claims::Claims;
use crate::history::{Applied, history};
use crate::migration::{Migration, Migrations};
use crate::run::Settings;
use crate::split;

/// What is to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// The migration is in, and its row is missing.
    MarkApplied,
    /// The migration is not in, and its row says that it is.
    MarkRolledBack,
    /// The file was edited on purpose after it was applied.
    AcceptChecksum,
    /// Of a file whose statements run one by one, the one in doubt is in.
    StatementApplied,
    /// The one in doubt is not in.
    StatementMissing,
}

/// What a repair would do.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// File name without ending.
    pub migration: String,
    /// What changes, a sentence each.
    pub effect: Vec<String>,
    /// Whether the file counts as not succeeded here from now on.
    pub undone: bool,
    /// Uses what [`vouched`] has set.
    sql: String,
}

/// Why there is nothing to propose.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It makes no sense, or the catalog says otherwise.
    #[error("{message}")]
    Refused {
        /// Why, in one sentence.
        message: String,
        /// What the catalog holds.
        evidence: Vec<String>,
    },
    /// Asking failed.
    #[error(transparent)]
    Session(#[from] Error),
}

fn refused(message: impl Into<String>) -> RepairError {
    RepairError::Refused { message: message.into(), evidence: Vec::new() }
}

/// What the repair would do; reads only.
///
/// # Errors
/// A repair that the history or the catalog contradicts is refused, with what contradicts it.
pub async fn propose(
    session: &mut Session,
    migrations: &Migrations,
    version: u64,
    repair: Repair,
    ledger: &str,
    settings: &Settings,
) -> Result<Proposal, RepairError> {
    let history = history(session, ledger).await?;
    let row = history.iter().find(|row| row.version == version);
    let file = migrations.0.iter().find(|file| file.version == version);
    let file = file.ok_or_else(|| refused(format!("no file of the release has version {version}")))?;
    let mending = Mending {
        file,
        row,
        history: &history,
        migrations,
        table: format!("{}.migrations", identifier(ledger)),
    };
    let path = settings.search_path.as_deref();
    match repair {
        Repair::MarkApplied => mending.mark_applied(session, path).await,
        Repair::MarkRolledBack => mending.mark_rolled_back(session, path).await,
        Repair::AcceptChecksum => mending.accept_checksum(session, path).await,
        Repair::StatementApplied => mending.resolve(true),
        Repair::StatementMissing => mending.resolve(false),
    }
}

/// Does what was proposed, in one transaction.
pub async fn repair(lock: &RunLock, proposal: &Proposal, reason: &str, deployment: i64) -> Result<(), Error> {
    let mut session = lock.session("schema").await?;
    let vouched = vouched(deployment, reason);
    session.run(&format!("BEGIN; {vouched}; {}; COMMIT", proposal.sql)).await?;
    session.close().await;
    Ok(())
}

struct Mending<'a> {
    file: &'a Migration,
    row: Option<&'a Applied>,
    history: &'a [Applied],
    migrations: &'a Migrations,
    table: String,
}

impl Mending<'_> {
    async fn mark_applied(&self, session: &mut Session, path: Option<&str>) -> Result<Proposal, RepairError> {
        let id = self.file.id();
        if self.row.is_some_and(|row| row.progress.is_none()) {
            return Err(refused(format!("{id} is applied already, as far as the history says")));
        }
        self.agrees(session, path, &format!("{id} cannot be in")).await?;
        let source = &self.file.source;
        let optional = |text: Option<&str>| text.map_or("NULL".to_owned(), literal);
        let down = self.file.down.as_ref();
        let sql = format!(
            "INSERT INTO {0} (version, name, file, checksum, raw_checksum, token_checksum, phase, down_sql, down_checksum, kind, \
               deployment, xid, applied_at, duration_ms) \
             VALUES ({1}, {2}, {3}, {4}, {5}, {6}, '{7}', {8}, {9}, 'repaired', {DEPLOYMENT}, pg_catalog.pg_current_xact_id()::text, \
               pg_catalog.clock_timestamp(), 0) \
             ON CONFLICT (version) DO UPDATE SET status = 'applied', kind = 'repaired', in_doubt = NULL, checksum = excluded.checksum, \
               raw_checksum = excluded.raw_checksum, token_checksum = excluded.token_checksum, applied_at = excluded.applied_at",
            self.table,
            self.file.version,
            literal(&self.file.name),
            literal(id),
            literal(&source.sha256),
            literal(&source.raw_sha256),
            optional(source.token_sha256().as_deref()),
            self.file.header.phase.as_str(),
            optional(down.map(|down| &*down.text)),
            optional(down.map(|down| down.sha256.as_str())),
        );
        let effect = vec![format!("{id} counts as applied, with the hash of its file: it will not be run")];
        Ok(self.proposal(effect, false, sql))
    }

    async fn mark_rolled_back(
        &self,
        session: &mut Session,
        path: Option<&str>,
    ) -> Result<Proposal, RepairError> {
        let id = self.file.id();
        if self.row.is_none() {
            return Err(refused(format!("{id} is not in the history: there is nothing to take back")));
        }
        let evidence = self.claims().found(session, path).await?;
        if !evidence.is_empty() {
            let message = format!("{id} is not rolled back: what it makes is in the database");
            return Err(RepairError::Refused { message, evidence });
        }
        let sql = undo(&self.table, self.file.version, "marked");
        let effect = vec![format!("{id} counts as not applied: the next deploy runs it again")];
        Ok(self.proposal(effect, true, sql))
    }

    async fn accept_checksum(
        &self,
        session: &mut Session,
        path: Option<&str>,
    ) -> Result<Proposal, RepairError> {
        let (id, source) = (self.file.id(), &self.file.source);
        let row =
            self.row.ok_or_else(|| refused(format!("{id} is not applied: its file may simply be edited")))?;
        if row.checksum == source.sha256 {
            return Err(refused(format!("{id} is as it was applied: there is nothing to accept")));
        }
        let comments = row.token_checksum.is_some() && row.token_checksum == source.token_sha256();
        if !comments {
            self.agrees(session, path, &format!("what {id} says now is not what is in")).await?;
        }
        let token = source.token_sha256().map_or("NULL".to_owned(), |hash| literal(&hash));
        let sql = format!(
            "UPDATE {} SET checksum = {}, raw_checksum = {}, token_checksum = {token} WHERE version = {}",
            self.table,
            literal(&source.sha256),
            literal(&source.raw_sha256),
            self.file.version
        );
        let (was, is) = (&row.checksum[..12.min(row.checksum.len())], &source.sha256[..12]);
        let what = if comments { "comments or blanks only" } else { "its SQL: the new text will not be run" };
        Ok(self.proposal(
            vec![format!("the recorded hash of {id} becomes {is} (it was {was}); the edit is in {what}")],
            false,
            sql,
        ))
    }

    fn resolve(&self, applied: bool) -> Result<Proposal, RepairError> {
        let id = self.file.id();
        let progress = self.row.and_then(|row| row.progress.as_ref());
        let nth = progress.and_then(|progress| progress.in_doubt);
        let nth = nth.ok_or_else(|| refused(format!("no statement of {id} is in doubt")))? + 1;
        let total = split::hashes(&self.file.source).len();
        let (set, effect) = match applied {
            true => (
                format!("statements_done = {nth}, in_doubt = NULL"),
                format!("statement {nth} of {total} of {id} counts as in: the next deploy goes on after it"),
            ),
            false => (
                "in_doubt = NULL".to_owned(),
                format!("statement {nth} of {total} of {id} counts as missing: the next deploy runs it"),
            ),
        };
        let sql = format!(
            "UPDATE {} SET {set} WHERE version = {} AND in_doubt = {nth}",
            self.table, self.file.version
        );
        Ok(self.proposal(vec![effect], false, sql))
    }

    /// What this file makes and no later one takes back.
    fn claims(&self) -> Claims {
        let applied = |file: &&Migration| self.history.iter().any(|row| row.version == file.version);
        let later = self.migrations.0.iter().filter(|file| file.place > self.file.place).filter(applied);
        let net = Claims::of(std::iter::once(self.file).chain(later).map(|file| &file.source));
        net.among(&Claims::of([&self.file.source]))
    }

    /// The catalog holds what the file makes, as far as its text says.
    async fn agrees(
        &self,
        session: &mut Session,
        path: Option<&str>,
        otherwise: &str,
    ) -> Result<(), RepairError> {
        let evidence = self.claims().contradicted(session, path).await?;
        if evidence.is_empty() {
            return Ok(());
        }
        Err(RepairError::Refused { message: format!("{otherwise}: the catalog says otherwise"), evidence })
    }

    fn proposal(&self, effect: Vec<String>, undone: bool, sql: String) -> Proposal {
        Proposal { migration: self.file.id().to_owned(), effect, undone, sql }
    }
}

/// The deployment that records a repair, within the transaction in which [`vouched`] was said.
const DEPLOYMENT: &str = "pg_catalog.current_setting('pgdeploy.deployment')::bigint";

/// Says for the rest of a transaction which deployment it belongs to, and why it is done.
pub(crate) fn vouched(deployment: i64, reason: &str) -> String {
    format!("SET LOCAL pgdeploy.deployment = {deployment}; SET LOCAL pgdeploy.reason = {}", literal(reason))
}

/// Moves a row out of the history, into the record of what was taken back. Uses what [`vouched`] has set.
pub(crate) fn undo(table: &str, version: u64, how: &str) -> String {
    format!("WITH {}", moved(table, version, how, false)) + " SELECT FROM noted"
}

/// The WITH queries `gone` and `noted` that do it, where `fenced` only if the query `fence` before them is open.
pub(crate) fn moved(table: &str, version: u64, how: &str, fenced: bool) -> String {
    let (using, condition) = if fenced { ("USING fence", " AND open") } else { ("", "") };
    format!(
        "gone AS (DELETE FROM {table} {using} WHERE version = {version}{condition} RETURNING {table}.*), \
         noted AS (INSERT INTO {table}_undone (version, name, checksum, kind, applied_by, applied_at, how, reason, deployment) \
           SELECT version, name, checksum, kind, deployment, applied_at, '{how}', pg_catalog.current_setting('pgdeploy.reason'), {DEPLOYMENT} \
           FROM gone RETURNING 1)"
    )
}
