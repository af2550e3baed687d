//! One environment, with its own settings over the pipeline's, and its references resolved.

use std::path::{Path, PathBuf};

use crate::at::At;
use crate::code;
use crate::database::Database;
use crate::fleet::{Around, Fleet};
use crate::gates::Gates;
use crate::hooks::Hooks;
use crate::raw::{self, Raw};
use crate::reading::Reading;
use crate::schema_stage::SchemaSettings;
use crate::secrets::Secrets;
use crate::services::Services;
use crate::settings::{BackfillSettings, IndexSettings};
use crate::verification::Verification;

/// A database that a release goes to, and how.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its database.
    pub database: Database,
    /// The databases in place of the one above, which then keeps account of them.
    pub fleet: Option<Fleet>,
    /// Where every pending file must have succeeded before.
    pub after: Vec<String>,
    /// What else has to be true before a deploy.
    pub gates: Gates,
    /// Rows to work on; only where the database is embedded.
    pub fixtures: Option<Fixtures>,
    /// Stage 1.
    pub schema: SchemaSettings,
    /// Stage 2.
    pub index: IndexSettings,
    /// Stage 3.
    pub backfill: BackfillSettings,
    /// What is stopped and started around a schema change.
    pub services: Option<Services>,
    /// Programs at fixed points of a deploy.
    pub hooks: Hooks,
    /// What has to be so after a deploy.
    pub verify: Vec<Verification>,
    /// What came out of references and must not be shown.
    pub secrets: Secrets,
    pub(crate) effective: serde_json::Value,
    /// The same with its references resolved.
    pub(crate) resolved: serde_json::Value,
    /// Where the URL comes from, as it was written; never what it is.
    pub(crate) origin: String,
}

impl Environment {
    /// Whether something has to be true before a deploy.
    pub fn is_gated(&self) -> bool {
        let gates = &self.gates;
        !self.after.is_empty() || !gates.windows.is_empty() || gates.approvals.is_some()
    }
}

/// Rows to work on, loaded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixtures {
    /// The version of the migration after which they are loaded.
    pub after: u64,
    /// The SQL file, relative to the pipeline's directory.
    pub sql: PathBuf,
}

/// What can be said of an environment without its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary<'p> {
    /// Its name.
    pub name: &'p str,
    /// Whether its database is one of our own.
    pub embedded: bool,
    /// Whether something has to be true before a deploy to it.
    pub gated: bool,
}

impl Reading<'_> {
    /// Reads one environment; `None` where something essential is wrong, which is among the problems then.
    pub(crate) fn environment(
        &mut self,
        pipeline: &Raw,
        name: &At<String>,
        raw: &raw::Environment,
        base: &Path,
    ) -> Option<Environment> {
        let after: Vec<String> = raw.after.iter().flatten().map(|one| one.value.clone()).collect();
        let settings = self.settings([raw.stages.as_ref(), pipeline.stages.as_ref()]);
        let services = raw.services.as_ref().or(pipeline.services.as_ref());
        let services = services.map(|services| self.services(services));
        let hooks = raw.hooks.as_ref().or(pipeline.hooks.as_ref());
        let hooks = hooks.map(|hooks| self.hooks(hooks, pipeline, &name.value)).unwrap_or_default();
        let verify = raw.verify.as_ref().or(pipeline.verify.as_ref()).map_or(&[][..], Vec::as_slice);
        let verify = self.verification(verify, pipeline, &name.value);
        let fixtures = raw.fixtures.as_ref().and_then(|fixtures| self.fixtures(fixtures, raw));
        let gates = self.gates(raw, base);
        let around = Around { services: services.as_ref(), hooks: &hooks };
        let fleet = raw.fleet.as_ref().map(|fleet| self.fleet(fleet, (name, raw), pipeline, &around, base));
        let database = self.database(raw.database.as_ref()?, name, raw.is_gated(), base)?;
        // What is wrong with a fleet is among the problems.
        let fleet = fleet.map_or(Some(None), |fleet| fleet.map(Some))?;
        Some(Environment {
            name: name.value.clone(),
            database,
            fleet,
            after,
            gates,
            fixtures,
            schema: settings.schema,
            index: settings.index,
            backfill: settings.backfill,
            services,
            hooks,
            verify,
            secrets: Secrets::default(),
            effective: serde_json::Value::Null,
            resolved: serde_json::Value::Null,
            origin: raw.database.as_ref().map(raw::Database::origin).unwrap_or_default(),
        })
    }

    fn fixtures(&mut self, raw: &raw::Fixtures, environment: &raw::Environment) -> Option<Fixtures> {
        let (after, sql) = (raw.after.as_ref()?, raw.sql.as_ref()?);
        if environment.database.as_ref().is_some_and(|database| !database.is_embedded()) {
            let help = "remove them: rows of a real database are never ours to make up";
            self.refuse(
                code::FIXTURES_NOT_EMBEDDED,
                sql.span(),
                "fixtures are for embedded databases only",
                help,
            );
            return None;
        }
        let digits = !after.value.is_empty() && after.value.bytes().all(|one| one.is_ascii_digit());
        let Some(version) = after.value.parse().ok().filter(|_| digits) else {
            let message = format!("`{}` is not the version of a migration", after.value);
            let help = "the number its name starts with, in quotes: \"0003\"";
            self.refuse(code::BAD_VALUE, after.span(), message, help);
            return None;
        };
        Some(Fixtures { after: version, sql: self.path(Some(sql), "") })
    }
}
