//! A release on a throwaway server: from nothing, again, back and forth, and by its snapshot.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use orchestrator::schema::Fingerprint;
use orchestrator::{Failure, Release, Report, Request, Verdict};
use pipeline::Pipeline;
use postgres::Target;
use scratch::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::identity;

/// How many roles a release may name that the throwaway server does not have.
const MOST_ROLES: usize = 100;

/// The throwaway server, and what is tried on it.
pub(crate) struct Rehearsal<'a> {
    server: Server,
    pipeline: &'a Pipeline,
    environment: pipeline::Environment,
    /// Roles that the release names: made on the server, so that GRANT has somebody to name.
    pub(crate) roles: Vec<String>,
}

impl<'a> Rehearsal<'a> {
    /// Starts the server. What the pipeline says of all environments counts, what it says of one does not.
    pub(crate) fn start(pipeline: &'a Pipeline, environment: pipeline::Environment) -> anyhow::Result<Self> {
        let server = Server::builder().start().context("a throwaway server cannot be started")?;
        Ok(Self { server, pipeline, environment, roles: Vec::new() })
    }

    /// The server, for programs that work on it.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// A deploy of the release's files to a database of their own.
    pub(crate) fn request(&self, database: &str, with_snapshot: bool) -> anyhow::Result<Request> {
        let target = Target::parse(&SecretString::from(self.server.url(database)))?;
        let directory = self.pipeline.base_dir();
        let mut release =
            Release::load(directory, &self.environment).map_err(|_| anyhow!("the files changed"))?;
        release.snapshot = None;
        if with_snapshot {
            let path = &self.environment.schema.snapshot;
            let snapshot = sql::Source::read(directory, path).map_err(|problem| anyhow!("{problem}"))?;
            release.snapshot = Some(snapshot);
        }
        Ok(Request::new(self.pipeline, &self.environment, target, release)
            .by(identity::actor("rehearsal"), None))
    }

    /// Whether there is a snapshot to hold against the chain.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.pipeline.base_dir().join(&self.environment.schema.snapshot).is_file()
    }

    /// The snapshot's file, relative to the pipeline's directory.
    pub(crate) fn snapshot(&self) -> &Path {
        &self.environment.schema.snapshot
    }

    /// Deploys to an empty database; roles that are missing are made on the way.
    pub(crate) async fn deploy(&mut self, database: &str, with_snapshot: bool) -> anyhow::Result<Report> {
        self.server.create_database(database)?;
        self.again(database, with_snapshot).await
    }

    /// Deploys once more.
    pub(crate) async fn again(&mut self, database: &str, with_snapshot: bool) -> anyhow::Result<Report> {
        let request = self.request(database, with_snapshot)?;
        loop {
            let report = orchestrator::deploy(&request, &|_| {}, &CancellationToken::new()).await;
            let missing = report.failure.as_ref().and_then(missing_role);
            match missing {
                Some(role) if self.roles.len() < MOST_ROLES && !self.roles.contains(&role) => {
                    let mut session = request.target.connect("rehearsal").await?;
                    session.run(&format!("CREATE ROLE {}", sql::identifier(&role))).await?;
                    session.close().await;
                    self.roles.push(role);
                }
                _ => return Ok(report),
            }
        }
    }

    /// Each migration with a way back there, back and there again.
    pub(crate) async fn round_trips(&self) -> anyhow::Result<Result<orchestrator::RoundTrips, Failure>> {
        self.server.create_database("round_trips")?;
        let request = self.request("round_trips", false)?;
        Ok(orchestrator::round_trips(&request).await)
    }

    /// What a database looks like.
    pub(crate) async fn fingerprint(&self, database: &str) -> anyhow::Result<Result<Fingerprint, Failure>> {
        Ok(orchestrator::fingerprint(&self.request(database, false)?).await)
    }
}

/// The role whose absence made a deploy fail, by the server's words: the throwaway server speaks English.
fn missing_role(failure: &Failure) -> Option<String> {
    if failure.verdict != Verdict::GateFailed {
        return None;
    }
    let message = &failure.problems.first()?.message;
    let rest = message.strip_prefix("role \"")?;
    rest.find("\" does not exist").map(|end| rest[..end].to_owned())
}
