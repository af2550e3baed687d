//! The deployment's row: who deployed what, how far it is, how it ended.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use pipeline::Hook;
use postgres::{Class, Clerk, Error, Query, Row, Warning, cancel_on, query};
use tokio_util::sync::CancellationToken;

use crate::event::{StageName, StageResult};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::release::File;
use crate::report::Report;
use crate::request::Request;
use crate::services_state::{DOWN, ServicesState};

/// Whether a deployment `d` is unproven, as SQL that a ledger of an older version understands too, for what only reads.
pub(crate) const UNPROVEN: &str = "(pg_catalog.to_jsonb(d) ->> 'unproven')::bool";

/// True, and the COMMIT does not wait for the disk: how far a deploy is decides nothing, and the next COMMIT that waits takes it
/// along, since the log has one order.
const IN_NO_HURRY: &str = "(SELECT pg_catalog.set_config('synchronous_commit', 'off', true)) = 'off'";

/// How long a write waits for whoever holds the table, once a stop was asked for.
const GRACE: Duration = Duration::from_secs(1);

/// The row of the deployment that runs, and the session that writes it.
pub(crate) struct Deployment {
    clerk: Clerk,
    ledger: String,
    pub(crate) number: i64,
    /// The deployment before this one that died without an end, if there is one.
    pub(crate) closed_earlier: Option<i64>,
    /// How far the services are, as the ledger has it; what a deployment before this one left unsettled to begin with.
    pub(crate) services: ServicesState,
    /// Whether an earlier deployment has changed something, and none since has come through what proves it: `verify` and
    /// the hooks at the end.
    pub(crate) owes_proof: bool,
    /// Whether this one has.
    pub(crate) is_proven: bool,
    /// How many events the journal lacks.
    pub(crate) journal_missing: usize,
    /// Fires when there is no time to wait for others any more.
    stop: CancellationToken,
}

impl Deployment {
    /// Opens the row. Whoever has the run lock is alone: a row that says "running" belongs to somebody who died. `changes`:
    /// whether there is something to do that has to be proven at the end.
    pub(crate) async fn open(
        clerk: Clerk,
        request: &Request,
        plan: &Plan,
        changes: bool,
    ) -> Result<Self, Error> {
        let mut session = clerk.session().await;
        session.bounded().await?;
        let ledger = sql::identifier(&request.ledger);
        let earlier = query(&format!(
            "UPDATE {ledger}.deployments SET status = 'interrupted', finished_at = clock_timestamp() \
             WHERE pipeline = $1 AND status = 'running' RETURNING number"
        ))
        .bind(&request.pipeline)
        .fetch_optional(session.connection())
        .await?;
        let closed_earlier = earlier.map(|row| row.try_get::<i64, _>(0)).transpose()?;
        let last = query(&format!(
            "SELECT services, unproven FROM {ledger}.deployments WHERE pipeline = $1 ORDER BY number DESC LIMIT 1"
        ))
        .bind(&request.pipeline)
        .fetch_optional(session.connection())
        .await?;
        let (found, owes_proof) = match last {
            Some(row) => (row.try_get::<String, _>(0)?, row.try_get::<bool, _>(1)?),
            None => Default::default(),
        };
        let asks_for_health = request.services.as_ref().is_some_and(|services| !services.health.is_empty());
        let services = ServicesState::found(&found).carried_over(asks_for_health);
        let revision = request.revision.as_ref();
        let row = query(&format!(
            "INSERT INTO {ledger}.deployments (pipeline, environment, release, plan, git_commit, git_dirty, actor, actor_source, \
               host, tool_version, server_version, status, services, unproven) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, pg_catalog.current_setting('server_version'), 'running', $11, $12 \
             WHERE {IN_NO_HURRY} RETURNING number"
        ))
        .bind(&request.pipeline)
        .bind(&request.environment)
        .bind(&request.release.hash)
        .bind(&plan.hash)
        .bind(revision.map(|revision| &revision.commit))
        .bind(revision.map(|revision| revision.dirty))
        .bind(&request.actor.name)
        .bind(&request.actor.source)
        .bind(&request.actor.host)
        .bind(&request.tool_version)
        .bind(services.as_str())
        .bind(owes_proof || changes)
        .fetch_one(session.connection())
        .await?;
        let number = row.try_get(0)?;
        drop(session);
        let stop = CancellationToken::new();
        Ok(Self {
            clerk,
            ledger,
            number,
            closed_earlier,
            services,
            owes_proof,
            is_proven: false,
            journal_missing: 0,
            stop,
        })
    }

    /// The same, in a hurry once `stop` has fired.
    pub(crate) fn stopped_by(self, stop: &CancellationToken) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Writes. Who holds the table is waited for within the session's lock_timeout; once a stop was asked for, only for a
    /// moment: then the row stays as it is, and the next deploy closes it.
    async fn write(&mut self, statement: Query) -> Result<(), Error> {
        self.clerk.revive().await?;
        let hurry = CancellationToken::new();
        let canceller = self.clerk.session().await.canceller();
        let work = async {
            let mut session = self.clerk.session().await;
            Ok::<_, Error>(statement.execute(session.connection()).await.map(drop)?)
        };
        let written = tokio::select! {
            written = cancel_on(&hurry, &canceller, work) => written,
            never = hurried(&self.stop, &hurry) => match never {},
        };
        match written {
            Err(error) if hurry.is_cancelled() && error.class() == Class::Cancelled => {
                tracing::warn!("the deployment's row is locked by others and stays as it is");
                Ok(())
            }
            written => written,
        }
    }

    /// Records that a stage has begun.
    pub(crate) async fn begun(&mut self, stage: StageName) -> Result<(), Error> {
        self.stage(stage, "running", IN_NO_HURRY).await
    }

    /// Records how a stage has ended; on disk with all that it has done.
    pub(crate) async fn ended(&mut self, stage: StageName, result: StageResult) -> Result<(), Error> {
        let when = if result == StageResult::Unchanged { IN_NO_HURRY } else { "true" };
        self.stage(stage, result.as_str(), when).await
    }

    async fn stage(&mut self, stage: StageName, result: &str, when: &str) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.deployments SET stages = stages || pg_catalog.jsonb_build_object($2::text, $3::text), heartbeat_at = clock_timestamp() \
             WHERE number = $1 AND status = 'running' AND {when}",
            self.ledger
        );
        self.write(query(&text).bind(self.number).bind(stage.as_str()).bind(result.to_owned())).await
    }

    /// Records what is about to happen to the services, or has.
    pub(crate) async fn services(&mut self, state: ServicesState) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.deployments SET services = $2 WHERE number = $1 AND status = 'running'",
            self.ledger
        );
        self.services = state;
        self.write(query(&text).bind(self.number).bind(state.as_str())).await
    }

    /// Whether nothing has been committed since the services were stopped, by this deployment or by those that have left
    /// them stopped for it.
    pub(crate) async fn is_unchanged_since_the_stop(&mut self) -> Result<bool, Error> {
        self.clerk.revive().await?;
        let text = format!(
            "SELECT NOT EXISTS (SELECT FROM {0}.migrations m WHERE m.deployment > s.number \
                 AND (m.kind = 'snapshot' OR m.kind = 'applied' AND (m.status = 'applied' OR m.statements_done > 0 OR m.in_doubt IS NOT NULL))) \
               AND NOT EXISTS (SELECT FROM {0}.migrations_undone u WHERE u.deployment > s.number AND u.how = 'rolled back') \
             FROM (SELECT coalesce(max(d.number), 0) AS number FROM {0}.deployments d WHERE d.number < $1 AND d.services NOT IN {DOWN}) s",
            self.ledger
        );
        let mut session = self.clerk.session().await;
        Ok(query(&text).bind(self.number).fetch_one(session.connection()).await?.try_get(0)?)
    }

    /// Records where a hook stands: before it runs, and at its end.
    pub(crate) async fn hook(&mut self, hook: &Hook, status: &str, output: &str) -> Result<(), Failure> {
        let text = format!(
            "INSERT INTO {0}.hooks AS h (deployment, point, name, status, output, finished_at) \
             SELECT $1, $2, $3, $4, $5, CASE WHEN $4 <> 'running' THEN clock_timestamp() END \
             WHERE EXISTS (SELECT FROM {0}.deployments WHERE number = $1 AND status = 'running') \
             ON CONFLICT (deployment, point, name) DO UPDATE SET status = excluded.status, output = excluded.output, finished_at = excluded.finished_at",
            self.ledger
        );
        let written = query(&text).bind(self.number).bind(hook.point.as_str()).bind(hook.name.clone());
        self.write(written.bind(status.to_owned()).bind(output.to_owned())).await.map_err(Failure::session)
    }

    /// Records files that have succeeded here, byte for byte.
    pub(crate) async fn succeeded<'f>(&mut self, files: impl Iterator<Item = &'f File>) -> Result<(), Error> {
        let (mut stages, mut paths, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            stages.push(file.stage.as_str());
            paths.push(file.path.display().to_string());
            hashes.push(file.sha256.clone());
        }
        if paths.is_empty() {
            return Ok(());
        }
        let text = format!(
            "INSERT INTO {0}.succeeded_files (stage, path, sha256, deployment) \
             SELECT s, p, h, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS f(s, p, h) \
             WHERE EXISTS (SELECT FROM {0}.deployments WHERE number = $4 AND status = 'running') ON CONFLICT DO NOTHING",
            self.ledger
        );
        self.write(query(&text).bind(stages).bind(paths).bind(hashes).bind(self.number)).await
    }

    /// Migrations that a person or another tool vouches for count as succeeded here.
    pub(crate) async fn have_had(
        &mut self,
        request: &Request,
        migrations: &[&schema::Migration],
    ) -> Result<(), Failure> {
        let paths: HashSet<&Path> =
            migrations.iter().map(|migration| migration.source.path.as_path()).collect();
        let stamped = |file: &&File| file.stage == StageName::Schema && paths.contains(file.path.as_path());
        let files = request.release.files.iter().filter(stamped);
        self.succeeded(files).await.map_err(Failure::session)
    }

    /// A migration is taken back: its file has not succeeded here any more.
    pub(crate) async fn undone(&mut self, migration: &str) -> Result<(), Error> {
        self.clerk.revive().await?;
        let text = format!(
            "DELETE FROM {}.succeeded_files WHERE stage = 'schema' AND (path = $1 OR right(path, length($1) + 1) = '/' || $1)",
            self.ledger
        );
        let mut session = self.clerk.session().await;
        query(&text).bind(format!("{migration}.sql")).execute(session.connection()).await?;
        Ok(())
    }

    /// Records that none of the migrations has run here: what is in the database is somebody else's.
    pub(crate) async fn vouched(&mut self) -> Result<(), Error> {
        let text = format!("UPDATE {}.deployments SET vouched = true WHERE number = $1", self.ledger);
        self.write(query(&text).bind(self.number)).await
    }

    /// Closes the row as a deploy has ended. One that cannot be closed (the server is gone) is closed as interrupted by the
    /// next deploy.
    pub(crate) async fn close_as(self, report: &Report) {
        if let Err(error) = self.close(report.verdict.status(), report.exit, &report.warnings).await {
            tracing::warn!(%error, "the deployment's row could not be closed");
        }
    }

    /// Closes the row. A row that somebody else has closed in the meantime (we had lost the lock) is left alone.
    pub(crate) async fn close(mut self, status: &str, exit: i32, warnings: &[Warning]) -> Result<(), Error> {
        let text = format!(
            "UPDATE {0}.deployments SET status = $2, exit_code = $3, warnings = $4, finished_at = clock_timestamp(), journal_missing = $5, \
               unproven = unproven AND NOT $6, \
               journal_head = (SELECT j.hash FROM {0}.journal j WHERE j.deployment = $1 ORDER BY j.seq DESC LIMIT 1) \
             WHERE number = $1 AND status = 'running'",
            self.ledger
        );
        let missing = i32::try_from(self.journal_missing).unwrap_or(i32::MAX);
        let warnings = serde_json::to_value(warnings).unwrap_or_default();
        self.write(
            query(&text)
                .bind(self.number)
                .bind(status.to_owned())
                .bind(exit)
                .bind(warnings)
                .bind(missing)
                .bind(self.is_proven),
        )
        .await?;
        self.clerk.close().await;
        Ok(())
    }
}

/// Fires `hurry` a moment after `stop`.
async fn hurried(stop: &CancellationToken, hurry: &CancellationToken) -> Infallible {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
    hurry.cancel();
    std::future::pending().await
}

impl StageResult {
    /// Whether the stage's files count as succeeded.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, StageResult::Unchanged | StageResult::Done)
    }
}
