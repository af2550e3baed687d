//! From pipeline.yaml and an environment's name to a request for the orchestrator.

use std::path::PathBuf;

use orchestrator::{Exit, Failure, Release, Request, Upstream};
use pipeline::{Environment, Pipeline, Secrets};
use postgres::Target;

use crate::arguments::{Format, Global};
use crate::database::{self, Database};
use crate::exit;
use crate::identity::{self, Identity};
use crate::output::chain;
use crate::render::Style;
use crate::told::{Told, tell_configuration, tell_failure};

/// What every command starts from.
pub(crate) struct Context {
    pub(crate) pipeline: Pipeline,
    pub(crate) environment: Environment,
    /// The one database of a fleet that was named: `--env shards/db7`.
    pub(crate) member: Option<String>,
    pub(crate) format: Format,
    pub(crate) style: Style,
    pub(crate) quiet: bool,
}

/// What a request is prepared for.
#[derive(Default)]
pub(crate) struct Prepare<'a> {
    /// Whether the environments before this one are asked: their variables must be set then.
    pub(crate) with_upstreams: bool,
    /// `--actor`.
    pub(crate) actor: Option<&'a str>,
    /// Whether nothing is recorded: then it does not matter who asks.
    pub(crate) only_looks: bool,
    /// Whether what is done can be done with a fleet as a whole.
    pub(crate) with_a_fleet: bool,
}

/// A request, and the databases that must live as long as it does.
pub(crate) struct Prepared {
    pub(crate) request: Request,
    databases: Vec<Database>,
}

/// The release's files alone: what commands start from that need neither a database nor an environment's variables.
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
    pub(crate) release: Release,
}

impl Files {
    /// Reads the files, of an environment where one is named. What is wrong is told.
    pub(crate) fn load(global: &Global, name: Option<&str>) -> Result<Self, Told> {
        if name.is_some() {
            let context = Context::load(global, name)?;
            return Ok(Self { directory: context.directory(), release: context.release()? });
        }
        let style = Style::new(global.color);
        let tell = |error: pipeline::Error| tell_configuration(&error, global.format, style);
        let pipeline = pipeline::load(&global.config).map_err(tell)?;
        let settings = pipeline.settings(&variable).map_err(tell)?;
        let directory = pipeline.base_dir().to_owned();
        let release = Release::load(&directory, &settings)
            .map_err(|problems| tell_failure(&Failure::files(problems), global.format, style, ""))?;
        Ok(Self { directory, release })
    }
}

impl Context {
    /// Reads the pipeline and resolves one environment. What is wrong is told.
    pub(crate) fn load(global: &Global, name: Option<&str>) -> Result<Self, Told> {
        let style = Style::new(global.color);
        let tell = |error: pipeline::Error| tell_configuration(&error, global.format, style);
        let pipeline = pipeline::load(&global.config).map_err(tell)?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => pipeline.default_environment().map_err(tell)?.to_owned(),
        };
        let (name, member) = match name.split_once('/') {
            Some((name, member)) => (name, Some(member.to_owned())),
            None => (name.as_str(), None),
        };
        let environment = pipeline.environment(name, &variable).map_err(tell)?;
        Ok(Self { pipeline, environment, member, format: global.format, style, quiet: global.quiet })
    }

    /// The pipeline's directory: its file's.
    pub(crate) fn directory(&self) -> PathBuf {
        self.pipeline.base_dir().to_owned()
    }

    /// Reads the release's files. What is wrong is told.
    pub(crate) fn release(&self) -> Result<Release, Told> {
        Release::load(&self.directory(), &self.environment)
            .map_err(|problems| self.tell(&Failure::files(problems)))
    }

    /// Everything a deploy needs: files first, then databases, since a broken file needs none.
    pub(crate) async fn prepare(&self, what: Prepare<'_>) -> Result<Prepared, Told> {
        if !what.with_a_fleet {
            self.is_one_database()?;
        }
        let directory = self.directory();
        let identity = match what.only_looks {
            true => Identity::nobody(),
            false => Identity::ask(what.actor, &directory),
        };
        let release = self.release()?;
        let own = self.database(&self.environment).await?;
        let target = own.target.clone();
        let mut databases = vec![own];
        let mut upstreams = Vec::new();
        let mut secrets = self.environment.secrets.clone();
        let needed = if what.with_upstreams { &self.environment.after[..] } else { &[] };
        for name in needed {
            // Where a receipt stands for it, its database need not even be known here.
            let target = match self.environment.gates.receipts {
                Some(_) => None,
                None => self.upstream(name, &mut databases, &mut secrets).await?,
            };
            upstreams.push(Upstream { name: name.clone(), target });
        }
        let (actor, revision) = identity.learn();
        let mut request = Request::new(&self.pipeline, &self.environment, target, release)
            .upstreams(upstreams)
            .by(actor, revision);
        request.secrets = secrets;
        if self.environment.gates.approvals.is_some() {
            let files = request.release.files.iter().map(|file| file.path.clone()).collect();
            (request.authors, request.authors_unknown) = identity::authors(&directory, files);
        }
        match &self.member {
            // A deploy goes through the fleet, whose gates and account are not the database's.
            Some(_) if what.with_a_fleet && request.fleet.is_some() => {}
            Some(member) => {
                let found = orchestrator::fleet_member(&request, member).await;
                request = found.map_err(|failure| self.tell(&failure))?;
            }
            None => {}
        }
        Ok(Prepared { request, databases })
    }

    /// Refuses what is done with one database where the environment is many.
    pub(crate) fn is_one_database(&self) -> Result<(), Told> {
        match (&self.environment.fleet, &self.member) {
            (Some(_), None) => {
                let what = "this is done with one database";
                Err(self.tell(&Failure::not_with_a_fleet(&self.environment.name, what)))
            }
            _ => Ok(()),
        }
    }

    /// The database of an environment that comes before this one; `None` for an embedded one that holds nothing yet.
    async fn upstream(
        &self,
        name: &str,
        databases: &mut Vec<Database>,
        secrets: &mut Secrets,
    ) -> Result<Option<Target>, Told> {
        let tell = |error: pipeline::Error| tell_configuration(&error, self.format, self.style);
        let environment = self.pipeline.environment(name, &variable).map_err(tell)?;
        secrets.extend(&environment.secrets);
        if matches!(environment.database, pipeline::Database::Embedded) {
            let embedded = database::embedded(&self.directory()).map_err(|error| self.tell_error(&error))?;
            if !embedded.is_initialised() {
                return Ok(None);
            }
        }
        let database = self.database(&environment).await?;
        let target = database.target.clone();
        databases.push(database);
        Ok(Some(target))
    }

    async fn database(&self, environment: &Environment) -> Result<Database, Told> {
        let database = match &environment.database {
            pipeline::Database::Embedded => {
                Database::embedded(&self.directory(), &self.database_name(environment)).await
            }
            pipeline::Database::Url(url) => {
                Ok(Database::at(url).map_err(|error| self.tell(&Failure::session(error)))?)
            }
        };
        database.map_err(|error| self.tell_error(&error))
    }

    /// The name of an embedded environment's database: the pipeline's, and the environment's beside the usual `dev`.
    pub(crate) fn database_name(&self, environment: &Environment) -> String {
        database_name(&self.pipeline, environment)
    }

    /// Tells why a command cannot go on.
    pub(crate) fn tell(&self, failure: &Failure) -> Told {
        tell_failure(failure, self.format, self.style, &self.environment.name)
    }

    /// The same for a command that hears signals.
    pub(crate) fn tell_after(&self, failure: &Failure, exit: &Exit) -> Told {
        self.tell(failure);
        exit::of_failure(failure, exit)
    }

    /// The same for what has no code of its own: the embedded server, mostly.
    pub(crate) fn tell_error(&self, error: &anyhow::Error) -> Told {
        tell_failure(&Failure::local(chain(error)), self.format, self.style, &self.environment.name)
    }
}

impl Prepared {
    /// The address of the environment's own database.
    pub(crate) fn url(&self) -> Option<&secrecy::SecretString> {
        self.databases.first().map(|database| &database.url)
    }

    /// The same, but embedded servers run on, for the program that comes after.
    pub(crate) async fn leave(self) {
        for database in self.databases {
            database.leave().await;
        }
    }

    /// Stops what was started for the request.
    pub(crate) async fn finish(self) {
        for database in self.databases {
            database.stop().await;
        }
    }
}

fn database_name(pipeline: &Pipeline, environment: &Environment) -> String {
    match environment.name.as_str() {
        "dev" => pipeline.name().to_owned(),
        other => format!("{}_{other}", pipeline.name()),
    }
}

/// An environment's database; `None` for an embedded one that holds nothing yet.
pub(crate) async fn existing_database(
    pipeline: &Pipeline,
    environment: &Environment,
) -> anyhow::Result<Option<Database>> {
    if let pipeline::Database::Url(url) = &environment.database {
        return Ok(Some(Database::at(url)?));
    }
    if !database::embedded(pipeline.base_dir())?.is_initialised() {
        return Ok(None);
    }
    Database::embedded(pipeline.base_dir(), &database_name(pipeline, environment)).await.map(Some)
}

/// A variable of the environment that we run in.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads the pipeline alone. What is wrong is told.
pub(crate) fn load_pipeline(global: &Global) -> Result<Pipeline, Told> {
    let style = Style::new(global.color);
    pipeline::load(&global.config).map_err(|error| tell_configuration(&error, global.format, style))
}
