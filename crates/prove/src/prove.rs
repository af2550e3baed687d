//! File after file, on one throwaway server.

use std::time::Instant;

use postgres::{Error, Notices, Session};
use sql::Source;

use crate::inside::Inside;
use crate::observation::{Before, Observation};
use crate::report::{FileReport, Held, StatementReport};
use crate::sizes::Sizes;
use crate::{estimate, outside};

/// One pending migration.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub source: &'a Source,
    /// Whether its statements share one transaction.
    pub transaction: bool,
}

/// One statement of a file.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) span: std::ops::Range<usize>,
    /// Whether the server refuses it inside a transaction, or it may end one.
    pub(crate) outside: bool,
}

/// Runs the files in order, each committed, and stops behind the first one that fails. `session` is with the throwaway
/// server, `sizes` are the target's.
pub async fn prove(
    session: &mut Session,
    files: &[Subject<'_>],
    sizes: &Sizes,
) -> Result<Vec<FileReport>, Error> {
    let mut reports = Vec::new();
    for file in files {
        let report = one(session, file, sizes).await?;
        let failed = report.failed.is_some();
        reports.push(report);
        session.reset().await?;
        if failed {
            break;
        }
    }
    Ok(reports)
}

async fn one(session: &mut Session, file: &Subject<'_>, sizes: &Sizes) -> Result<FileReport, Error> {
    let statements = statements(file);
    let started = Instant::now();
    let before = Before::read(session).await?;
    let mut report = FileReport {
        path: file.source.path.clone(),
        transaction: file.transaction,
        statements: Vec::new(),
        held: Vec::new(),
        duration_ms: 0.0,
        failed: None,
    };
    if file.transaction {
        Inside { source: file.source, before: &before }.run(session, &statements, &mut report).await?;
    } else {
        for statement in &statements {
            if statement.outside {
                outside::run(session, file.source, statement, &before, &mut report).await?;
            } else {
                let alone = std::slice::from_ref(statement);
                Inside { source: file.source, before: &before }.run(session, alone, &mut report).await?;
            }
            if report.failed.is_some() {
                break;
            }
        }
    }
    report.duration_ms = milliseconds(started);
    for statement in &mut report.statements {
        statement.estimates = estimate::of(statement, &before, sizes);
    }
    Ok(report)
}

fn statements(file: &Subject<'_>) -> Vec<Statement> {
    let all = |statements: Vec<sql::Statement>| {
        let one = |one: sql::Statement| {
            let refuses = sql::refuses_a_block(&one.node);
            Statement { span: one.span, outside: refuses || !file.transaction && sql::is_outside(&one.node) }
        };
        statements.into_iter().map(one).collect()
    };
    // The plan has parsed the file already.
    sql::parse(file.source, all).unwrap_or_default()
}

/// What one statement did, from the looks around it.
pub(crate) fn measured(
    source: &Source,
    statement: &Statement,
    before: &Before,
    looks: (&Observation, &Observation),
    started: Instant,
    notices: &Notices,
) -> StatementReport {
    let text = &source.text[statement.span.clone()];
    let (earlier, later) = looks;
    StatementReport {
        line: sql::place(&source.text, statement.span.start).line,
        text: text.lines().next().unwrap_or_default().to_owned(),
        span: statement.span.clone(),
        duration_ms: milliseconds(started),
        locks: later.new_locks(earlier, before),
        rewritten: later.rewritten(earlier, before),
        scans: later.scans(earlier, before),
        rows: later.rows(earlier, before),
        server: said(notices),
        wal_bytes: later.wal(earlier),
        sampled: statement.outside,
        estimates: Vec::new(),
    }
}

/// The server's lines that tell of work on a table, or of work that a proof has saved.
fn said(notices: &Notices) -> Vec<String> {
    const BEGINNINGS: [&str; 7] = [
        "rewriting table",
        "verifying table",
        "building index",
        "validating foreign key",
        "existing constraints on column",
        "partition constraint for table",
        "updated partition constraint",
    ];
    let messages = notices.take().into_iter().map(|notice| notice.message);
    let told = |message: &String| {
        BEGINNINGS.iter().any(|beginning| message.starts_with(beginning)) && !message.contains("\"pg_toast_")
    };
    messages.filter(told).collect()
}

/// Keeps the strongest lock of each relation, with the moment at which it was taken.
pub(crate) fn hold(held: &mut Vec<(Held, Instant)>, statement: &StatementReport, at: Instant) {
    for lock in &statement.locks {
        match held.iter_mut().find(|(known, _)| known.relation == lock.relation) {
            Some((known, since)) if known.mode < lock.mode => (known.mode, *since) = (lock.mode, at),
            Some(_) => {}
            None => {
                let lock = Held { relation: lock.relation.clone(), mode: lock.mode, held_ms: 0.0 };
                held.push((lock, at));
            }
        }
    }
}

pub(crate) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}
