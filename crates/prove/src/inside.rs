//! Statements in one transaction, with a look at the catalog and the counters after each.

use std::time::Instant;

use postgres::{Error, Notices, Session};
use sql::Source;

use crate::observation::{Before, Observation};
use crate::prove::{Statement, hold, measured, milliseconds};
use crate::report::{FileReport, Held};

/// A file, or one statement of a file that is no transaction.
pub(crate) struct Inside<'a> {
    pub(crate) source: &'a Source,
    pub(crate) before: &'a Before,
}

impl Inside<'_> {
    /// Runs the statements and commits. What the server refuses is in the report.
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        statements: &[Statement],
        report: &mut FileReport,
    ) -> Result<(), Error> {
        session.run("BEGIN").await?;
        let mut held: Vec<(Held, Instant)> = Vec::new();
        let mut failed = None;
        let pid = session.pid();
        let mut earlier = Observation::look(session, pid).await?;
        for statement in statements {
            let notices = Notices::default();
            session.run("SET client_min_messages = debug1").await?;
            let started = Instant::now();
            let result = notices.of(session.run(&self.source.text[statement.span.clone()])).await;
            let duration = milliseconds(started);
            if let Err(error) = result {
                if error.is_lost_connection() {
                    return Err(error);
                }
                failed = Some(error.to_string());
                break;
            }
            session.run("SET client_min_messages = warning").await?;
            let later = Observation::look(session, pid).await?;
            let mut one =
                measured(self.source, statement, self.before, (&earlier, &later), started, &notices);
            one.duration_ms = duration;
            hold(&mut held, &one, started);
            report.statements.push(one);
            earlier = later;
        }
        // What was put off to the COMMIT is work of the file, too.
        if failed.is_none() {
            failed = self.deferred(session, report, &earlier).await?;
        }
        let end = if failed.is_some() { "ROLLBACK" } else { "COMMIT" };
        if let Err(error) = session.run(end).await {
            if error.is_lost_connection() {
                return Err(error);
            }
            failed = Some(error.to_string());
        }
        report.failed = failed;
        report
            .held
            .extend(held.into_iter().map(|(lock, since)| Held { held_ms: milliseconds(since), ..lock }));
        Ok(())
    }

    /// Deferred triggers and constraints, run now: their rows are charged to the last statement.
    async fn deferred(
        &self,
        session: &mut Session,
        report: &mut FileReport,
        earlier: &Observation,
    ) -> Result<Option<String>, Error> {
        let pid = session.pid();
        match session.run("SET CONSTRAINTS ALL IMMEDIATE").await {
            Err(error) if error.is_lost_connection() => return Err(error),
            Err(error) => return Ok(Some(error.to_string())),
            Ok(_) => {}
        }
        let later = Observation::look(session, pid).await?;
        if let Some(last) = report.statements.last_mut() {
            last.rows.extend(later.rows(earlier, self.before));
        }
        Ok(None)
    }
}
