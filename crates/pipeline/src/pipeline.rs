//! A validated pipeline, and how one is had.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::database::Database;
use crate::effective::effective;
use crate::environment::{Environment, Summary};
use crate::gates::Gates;
use crate::hooks::Hooks;
use crate::limit as limits;
use crate::problem::Error;
use crate::raw::{self, Raw};
use crate::reading::Reading;
use crate::schema::json_schema;
use crate::schema_stage::SchemaSettings;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::shape::{Shape, nearest};
use crate::text::{self, Document};
use crate::{node, url};

/// How to wait for a server that does not answer yet: exponential backoff with jitter. `initial <= max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// How long to try in all.
    pub wait: Duration,
    /// The first pause between two tries.
    pub initial: Duration,
    /// The longest pause between two tries.
    pub max: Duration,
}

/// The lock that keeps two deploys of this pipeline apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// How long to wait for another deploy to end.
    pub wait: Duration,
}

/// A pipeline.yaml in which nothing is wrong but what its variables may hold.
pub struct Pipeline {
    name: String,
    ledger_schema: String,
    connect: Connect,
    lock: Lock,
    pub(crate) raw: Raw,
    pub(crate) document: Document,
}

/// Reads and checks a pipeline.yaml. Nothing it refers to is looked at: no folder, no variable, no database.
///
/// # Errors
/// All that is wrong with the file.
pub fn load(path: &Path) -> Result<Pipeline, Error> {
    parse(&text::read(path)?, path)
}

/// The same for a text; `path` is what it is called in messages, and its parent the base of relative paths.
///
/// # Errors
/// All that is wrong with the text.
pub fn parse(text: &str, path: &Path) -> Result<Pipeline, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::new(path, text);
    text::check(text, &document)?;
    let mut problems = Vec::new();
    let root = match node::tree(text, &document, &mut problems) {
        Ok(root) => root,
        Err(problem) => {
            problems.push(*problem);
            return Err(Error::new(problems));
        }
    };
    let schema = json_schema();
    let mut shape = Shape { document: &document, root: &schema, problems: &mut problems };
    let value = shape.check(&root, &schema, "pipeline.yaml").unwrap_or_default();
    let raw: Raw = serde_yaml::from_value(value).map_err(|error| {
        let message = url::mask_passwords(&error.to_string());
        Error::from(document.problem(code::WRONG_TYPE, None, message))
    })?;
    let (pipeline, more) = Pipeline::read(raw, document);
    problems.extend(more);
    if problems.is_empty() { Ok(pipeline) } else { Err(Error::new(problems)) }
}

impl Pipeline {
    /// Reads everything that can be read without variables.
    fn read(raw: Raw, document: Document) -> (Self, Vec<crate::Problem>) {
        let mut reading = Reading::new(&document, None);
        if let Some(version) = raw.version.as_ref().filter(|version| version.value != 1) {
            let message = format!("version {} is not known", version.value);
            reading.refuse(code::BAD_VALUE, version.span(), message, "this pgdeploy reads version 1");
        }
        if let Some(name) = &raw.name {
            reading.name(name, "a pipeline");
        }
        if let Some(schema) = &raw.ledger_schema {
            reading.ledger_schema(schema);
        }
        let connect = reading.connect(raw.connect.as_ref());
        let lock = raw.lock.as_ref().and_then(|lock| lock.wait.as_ref());
        let lock = Lock { wait: reading.duration(lock, &limits::LOCK_WAIT) };
        reading.settings([None, raw.stages.as_ref()]);
        let environments = raw.environments.as_ref().map_or(&[][..], |entries| &entries.0);
        for (name, environment) in environments {
            reading.name(name, "an environment");
            reading.environment(&raw, name, environment, Path::new("."));
        }
        reading.promotion(environments);
        let problems = reading.into_problems();
        let name = raw.name.as_ref().map_or_else(String::new, |name| name.value.clone());
        let ledger =
            raw.ledger_schema.as_ref().map_or(limits::LEDGER_SCHEMA, |schema| &schema.value).to_owned();
        (Self { name, ledger_schema: ledger, connect, lock, raw, document }, problems)
    }

    /// The name: part of the lock's key and of every record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema of the ledger's tables; needs no quotes.
    pub fn ledger_schema(&self) -> &str {
        &self.ledger_schema
    }

    /// How to wait for a server.
    pub fn connect(&self) -> Connect {
        self.connect
    }

    /// How to wait for another deploy.
    pub fn lock(&self) -> Lock {
        self.lock
    }

    /// The file, as it was named.
    pub fn path(&self) -> &Path {
        &self.document.path
    }

    /// The directory of pipeline.yaml: what relative paths are relative to.
    pub fn base_dir(&self) -> &Path {
        self.path().parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The environments, in the order of the file.
    pub fn environments(&self) -> impl Iterator<Item = Summary<'_>> {
        self.declared().iter().map(|(name, environment)| Summary {
            name: &name.value,
            embedded: environment.database.as_ref().is_some_and(raw::Database::is_embedded),
            gated: environment.is_gated(),
        })
    }

    /// The environment that is meant where none is named: the only one, else `dev` where that one is embedded.
    ///
    /// # Errors
    /// There is no such environment; the problem lists the names.
    pub fn default_environment(&self) -> Result<&str, Error> {
        if let [(only, _)] = self.declared() {
            return Ok(&only.value);
        }
        if let Some(dev) = self.environments().find(|one| one.name == "dev" && one.embedded) {
            return Ok(dev.name);
        }
        let names: Vec<&str> = self.environments().map(|one| one.name).collect();
        let problem = self.document.problem(code::NO_DEFAULT_ENVIRONMENT, None, "no environment was named");
        Err(problem.help(format!("say which with --env: {}", names.join(", "))).into())
    }

    /// One environment, its references resolved with `variable` and its URL taken from where it is kept. Nothing of
    /// another environment is resolved.
    ///
    /// # Errors
    /// There is no such environment, a variable is not set, a URL cannot be had or is none.
    pub fn environment(
        &self,
        name: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Environment, Error> {
        let (key, raw) = self.find(name)?;
        let mut unresolved = Reading::new(&self.document, None);
        let as_written = unresolved.environment(&self.raw, key, raw, self.base_dir());
        let mut reading = Reading::new(&self.document, Some(variable));
        let environment = reading.environment(&self.raw, key, raw, self.base_dir());
        let secrets = std::mem::take(&mut reading.secrets);
        reading.finish(())?;
        // A valid pipeline has both: where one is missing, a problem was reported.
        let (Some(environment), Some(as_written)) = (environment, as_written) else {
            let message = format!("the environment `{name}` cannot be read");
            return Err(self.document.problem(code::BAD_DATABASE, key.span(), message).into());
        };
        let resolved = effective(self, &environment);
        Ok(Environment { effective: effective(self, &as_written), resolved, secrets, ..environment })
    }

    /// The settings of the stages without any environment's own, for commands that need no database.
    ///
    /// # Errors
    /// A variable is not set.
    pub fn settings(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let mut reading = Reading::new(&self.document, Some(variable));
        let settings = reading.settings([None, self.raw.stages.as_ref()]);
        reading.finish(settings)
    }

    pub(crate) fn find(&self, name: &str) -> Result<(&At<String>, &raw::Environment), Error> {
        if let Some((key, raw)) = self.declared().iter().find(|(key, _)| key.value == name) {
            return Ok((key, raw));
        }
        let names: Vec<&str> = self.environments().map(|one| one.name).collect();
        let message = format!("there is no environment `{name}`");
        let problem = self.document.problem(code::UNKNOWN_ENVIRONMENT, None, message);
        Err(match nearest(name, &names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the environments are {}", names.join(", "))),
        }
        .into())
    }

    /// An environment that nobody declared, for a database that nobody needs: with the settings of all environments, and
    /// without any one's own.
    ///
    /// # Errors
    /// A variable is not set.
    pub fn rehearsal(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Environment, Error> {
        let Settings { schema, index, backfill } = self.settings(variable)?;
        Ok(Environment {
            name: "rehearsal".to_owned(),
            database: Database::Embedded,
            fleet: None,
            after: Vec::new(),
            gates: Gates::default(),
            fixtures: None,
            schema: SchemaSettings { snapshot_when_empty: false, ..schema },
            index,
            backfill,
            services: None,
            hooks: Hooks::default(),
            verify: Vec::new(),
            secrets: Secrets::default(),
            effective: serde_json::Value::Null,
            resolved: serde_json::Value::Null,
            origin: String::new(),
        })
    }

    fn declared(&self) -> &[(At<String>, raw::Environment)] {
        self.raw.environments.as_ref().map_or(&[], |entries| &entries.0)
    }
}

impl Reading<'_> {
    fn connect(&mut self, raw: Option<&raw::Connect>) -> Connect {
        let initial = raw.and_then(|connect| connect.initial.as_ref());
        let max = raw.and_then(|connect| connect.max.as_ref());
        let wait = raw.and_then(|connect| connect.wait.as_ref());
        let connect = Connect {
            wait: self.duration(wait, &limits::CONNECT_WAIT),
            initial: self.duration(initial, &limits::CONNECT_INITIAL),
            max: self.duration(max, &limits::CONNECT_MAX),
        };
        if connect.initial > connect.max {
            let message = "the first pause is longer than the longest one";
            self.refuse(
                code::OUT_OF_BOUNDS,
                initial.or(max).map(At::span),
                message,
                "initial is at most max",
            );
        }
        connect
    }
}

/// Names only: the raw values may hold a URL with a password.
impl fmt::Debug for Pipeline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let environments: Vec<&str> = self.environments().map(|one| one.name).collect();
        out.debug_struct("Pipeline")
            .field("name", &self.name)
            .field("environments", &environments)
            .finish_non_exhaustive()
    }
}
