//! `plan --prove`: the pending migrations on a throwaway server.

use orchestrator::{Failure, PlanReport};
use prove::{Error, FileReport, Shadow, StatementReport, Subject};
use serde::Serialize;
use sql::{Problem, Source};

use crate::context::Prepared;

/// What was measured, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Proof {
    /// Major version of the throwaway server.
    pub(crate) server: u32,
    /// What is not as on the target.
    pub(crate) notes: Vec<String>,
    /// The pending files, in order; up to the one that failed.
    pub(crate) files: Vec<FileReport>,
    #[serde(skip)]
    sources: Vec<Source>,
}

/// Runs what the plan would apply now.
pub(crate) async fn of(prepared: &Prepared, plan: &PlanReport) -> Result<Proof, Failure> {
    measured(prepared, plan).await.map_err(|error| {
        let message = format!("{error}");
        Failure::unprovable(&message)
    })
}

async fn measured(prepared: &Prepared, plan: &PlanReport) -> Result<Proof, Error> {
    let request = &prepared.request;
    let all = &request.release.migrations.0;
    let is_pending = |id: &str| plan.schema.pending.iter().any(|pending| pending == id);
    let pending: Vec<_> = all.iter().filter(|migration| is_pending(migration.id())).collect();
    let mut target = request.target.connect_read_only("prove").await?;
    let sizes = prove::sizes(&mut target).await?;
    let shadow = match prepared.url() {
        Some(url) => match Shadow::of_target(&mut target, url, &request.ledger).await {
            // Without pg_dump for it, the files that it has had make nearly the same schema.
            Err(Error::Dump(why)) => of_files(prepared, plan, &target, &why).await?,
            other => other?,
        },
        None => of_files(prepared, plan, &target, "the target has no address").await?,
    };
    target.close().await;
    let mut session = shadow.session().await?;
    let subjects: Vec<Subject<'_>> = pending
        .iter()
        .map(|migration| Subject { source: &migration.source, transaction: migration.header.transaction })
        .collect();
    let files = prove::prove(&mut session, &subjects, &sizes).await?;
    session.close().await;
    let mut notes = shadow.notes.clone();
    notes.extend(
        plan.schema.deferred.iter().map(|deferred| format!("not proven: {} is deferred", deferred.migration)),
    );
    let server = shadow.major_version();
    shadow.stop().await?;
    let sources = pending.iter().map(|migration| migration.source.clone()).collect();
    Ok(Proof { server, notes, files, sources })
}

async fn of_files(
    prepared: &Prepared,
    plan: &PlanReport,
    target: &postgres::Session,
    why: &str,
) -> Result<Shadow, Error> {
    let waits = |id: &str| {
        plan.schema.pending.iter().any(|pending| pending == id)
            || plan.schema.deferred.iter().any(|deferred| deferred.migration == id)
    };
    let migrations = prepared.request.release.migrations.0.iter();
    let applied: Vec<&Source> =
        migrations.filter(|migration| !waits(migration.id())).map(|migration| &migration.source).collect();
    let mut shadow = Shadow::of_files(&applied, Some(target.version_number() / 10_000)).await?;
    shadow.notes.push(why.to_owned());
    Ok(shadow)
}

impl Proof {
    /// What the run forbids: rows that changed and that nobody has accepted, and a file that fails.
    pub(crate) fn refusal(&self, plan: &PlanReport) -> Option<Failure> {
        let mut problems = Vec::new();
        for (file, source) in self.files.iter().zip(&self.sources) {
            let accepted = |statement: &&StatementReport| {
                plan.accepted_rows.iter().any(|(path, span)| {
                    *path == file.path && statement.span.start <= span.start && span.end <= statement.span.end
                })
            };
            for statement in file.changed_rows().filter(|statement| !accepted(statement)) {
                problems.push(changed(source, statement));
            }
            if let Some(said) = &file.failed {
                let at =
                    file.statements.last().map_or(0, |last| sql::skip_blanks(&source.text, last.span.end));
                let at = at + usize::from(source.text[at..].starts_with(';'));
                let at = sql::skip_blanks(&source.text, at).min(source.text.len());
                problems.push(
                    Problem::at(
                        "E506",
                        source,
                        source.token_at(at),
                        format!("fails on the throwaway server: {said}"),
                    )
                    .help(self.notes.join("; ")),
                );
            }
        }
        (!problems.is_empty()).then(|| Failure::guard(problems))
    }
}

fn changed(source: &Source, statement: &StatementReport) -> Problem {
    let rows: Vec<String> = statement
        .rows
        .iter()
        .map(|rows| {
            let counts = [(rows.inserted, "inserted"), (rows.updated, "updated"), (rows.deleted, "deleted")];
            let told =
                counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
            match told.collect::<Vec<_>>() {
                told if told.is_empty() => format!("a change of {} that matched none here", rows.relation),
                told => format!("{} in {}", told.join(", "), rows.relation),
            }
        })
        .collect();
    let span = statement.span.start..statement.span.start + statement.text.len();
    Problem::at("E505", source, span, format!("changed rows when it ran: {}", rows.join("; ")))
        .help("rows belong in backfills/: write the change as one UPDATE, DELETE or INSERT .. SELECT there")
}
