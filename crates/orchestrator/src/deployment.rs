//! The deployment's row: who deployed what, how far it is, how it ended.

use std::convert::Infallible;
use std::time::Duration;

use pipeline::Hook;
use postgres::{Class, Clerk, Error, Row, Session, Warning, cancel_on, query};
use tokio_util::sync::CancellationToken;

use crate::event::{StageName, StageResult};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::report::Report;
use crate::request::Request;
use crate::services_state::{DOWN, ServicesState};

mod files;

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
    /// Whether the deployment before this one was of the same files and has recorded its migrations.
    pub(crate) has_migrations: bool,
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
        let pipeline = sql::literal(&request.pipeline);
        let closing = format!(
            "UPDATE {ledger}.deployments SET status = 'interrupted', finished_at = clock_timestamp() \
             WHERE pipeline = {pipeline} AND status = 'running' RETURNING number"
        );
        let earlier = session.answer(&closing).await?;
        let closed_earlier = earlier.map(|row| row.try_get::<i64, _>(0)).transpose()?;
        let last = format!(
            "SELECT services, unproven, release = {} AND coalesce(stages ->> 'schema', '') IN ('done', 'unchanged') \
             FROM {ledger}.deployments WHERE pipeline = {pipeline} ORDER BY number DESC LIMIT 1",
            sql::literal(&request.release.hash)
        );
        let last = session.answer(&last).await?;
        let (found, owes_proof, has_migrations) = match last {
            Some(row) => {
                (row.try_get::<String, _>(0)?, row.try_get::<bool, _>(1)?, row.try_get::<bool, _>(2)?)
            }
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
            has_migrations,
            stop,
        })
    }

    /// The same, in a hurry once `stop` has fired.
    pub(crate) fn stopped_by(self, stop: &CancellationToken) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Writes. A deploy may take hours, and an idle session may have been ended meanwhile: then another takes its place. What
    /// had come in whose answer was lost is the same when it is written again.
    async fn write(&self, work: impl AsyncFn(&mut Session) -> Result<(), Error>) -> Result<(), Error> {
        match self.write_once(&work).await {
            Err(error) if error.is_lost_connection() => {
                self.clerk.revive().await?;
                self.write_once(&work).await
            }
            written => written,
        }
    }

    /// Who holds the table is waited for within the session's lock_timeout; once a stop was asked for, only for a moment:
    /// then the row stays as it is, and the next deploy closes it.
    async fn write_once(&self, work: &impl AsyncFn(&mut Session) -> Result<(), Error>) -> Result<(), Error> {
        let hurry = CancellationToken::new();
        let mut session = self.clerk.session().await;
        let canceller = session.canceller();
        let written = tokio::select! {
            written = cancel_on(&hurry, &canceller, work(&mut session)) => written,
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

    async fn write_text(&self, text: &str) -> Result<(), Error> {
        self.write(async |session| session.run(text).await.map(drop)).await
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
            "UPDATE {}.deployments SET stages = stages || pg_catalog.jsonb_build_object({}, {}), heartbeat_at = clock_timestamp() \
             WHERE number = {} AND status = 'running' AND {when}",
            self.ledger,
            sql::literal(stage.as_str()),
            sql::literal(result),
            self.number
        );
        self.write_text(&text).await
    }

    /// Records what is about to happen to the services, or has.
    pub(crate) async fn services(&mut self, state: ServicesState) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.deployments SET services = {} WHERE number = {} AND status = 'running'",
            self.ledger,
            sql::literal(state.as_str()),
            self.number
        );
        self.services = state;
        self.write_text(&text).await
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
        let written = async |session: &mut Session| {
            let named = query(&text).bind(self.number).bind(hook.point.as_str()).bind(hook.name.clone());
            let query = named.bind(status.to_owned()).bind(output.to_owned());
            Ok(query.execute(session.connection()).await.map(drop)?)
        };
        self.write(written).await.map_err(Failure::session)
    }

    /// Records that none of the migrations has run here: what is in the database is somebody else's.
    pub(crate) async fn vouched(&mut self) -> Result<(), Error> {
        self.write_text(&format!(
            "UPDATE {}.deployments SET vouched = true WHERE number = {}",
            self.ledger, self.number
        ))
        .await
    }

    /// Closes the row as a deploy has ended. One that cannot be closed (the server is gone) is closed as interrupted by the
    /// next deploy.
    pub(crate) async fn close_as(self, report: &Report) {
        if let Err(error) = self.close(report.verdict.status(), report.exit, &report.warnings).await {
            tracing::warn!(%error, "the deployment's row could not be closed");
        }
    }

    /// Closes the row. A row that somebody else has closed in the meantime (we had lost the lock) is left alone.
    pub(crate) async fn close(self, status: &str, exit: i32, warnings: &[Warning]) -> Result<(), Error> {
        let text = format!(
            "UPDATE {0}.deployments SET status = $2, exit_code = $3, warnings = $4, finished_at = clock_timestamp(), journal_missing = $5, \
               unproven = unproven AND NOT $6, \
               journal_head = (SELECT j.hash FROM {0}.journal j WHERE j.deployment = $1 ORDER BY j.seq DESC LIMIT 1) \
             WHERE number = $1 AND status = 'running'",
            self.ledger
        );
        let missing = i32::try_from(self.journal_missing).unwrap_or(i32::MAX);
        let warnings = serde_json::to_value(warnings).unwrap_or_default();
        self.write(async |session| {
            let ended = query(&text).bind(self.number).bind(status.to_owned()).bind(exit);
            let query = ended.bind(&warnings).bind(missing).bind(self.is_proven);
            Ok(query.execute(session.connection()).await.map(drop)?)
        })
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
