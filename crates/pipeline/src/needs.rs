//! What an environment needs of whoever runs its deploys: variables, files of secrets, receipts, programs.

use std::ops::Range;
use std::path::PathBuf;

use crate::code;
use crate::effective::effective;
use crate::environment::Environment;
use crate::health::Probe;
use crate::pipeline::Pipeline;
use crate::problem::{Error, Problem};
use crate::raw;
use crate::reading::{Reading, Seen};
use crate::reference::Template;
use crate::services;
use crate::verification::Verification;

/// Everything that is not in the release's folders. No value of a secret is among it.
#[derive(Debug)]
pub struct Needs {
    /// The environment as it is written, but for its paths, in which variables are resolved. Its URL is empty.
    pub environment: Environment,
    /// The variables that it refers to, but for those whose defaults stand in paths.
    pub variables: Vec<Needed>,
    /// The file that its URL is read from.
    pub url_file: Option<PathBuf>,
    /// The file that holds the key its receipt is signed with.
    pub sign_key_file: Option<PathBuf>,
    /// The receipts that are its evidence.
    pub receipts: Vec<PathBuf>,
    /// The receipt that its deploys write.
    pub receipt: Option<PathBuf>,
    /// The program that prints its URL.
    pub url_command: Option<Program>,
    /// The programs that its deploys run.
    pub programs: Vec<Program>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub supply: Supply,
    /// Whether nothing but a deploy needs it.
    pub deploys_only: bool,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// It has to be set.
    Demanded,
    /// It may be set: every reference to it has a default.
    Optional,
    /// It is part of a path, and this is what the path was resolved with.
    Decided(String),
}

/// A program with its arguments; variables without a default stand in them as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Which key runs it, such as `services.stop`.
    pub key: String,
    /// Its name and its arguments; never empty.
    pub words: Vec<String>,
}

impl Pipeline {
    /// What an environment needs, for deploys to it, or (`asked`) for those to the environments after it, which ask its
    /// ledger and sign nothing. `variable` is asked for what stands in a path and has no default, and for nothing else.
    ///
    /// # Errors
    /// There is no such environment, or a path has a variable without a value.
    pub fn needs(
        &self,
        name: &str,
        asked: bool,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Needs, Error> {
        let (key, raw) = self.find(name)?;
        let mut reading = Reading::new(&self.document, None);
        let environment = reading.environment(&self.raw, key, raw, self.base_dir());
        let mut seen = std::mem::take(&mut reading.seen);
        let Some(mut environment) = environment else {
            let message = format!("the environment `{name}` cannot be read");
            return Err(self.document.problem(code::BAD_DATABASE, key.span(), message).into());
        };
        environment.effective = effective(self, &environment);
        let everybody: Vec<String> = seen.iter().map(|one| one.name.clone()).collect();
        let receipt = raw.receipt.as_ref();
        let signing = receipt.filter(|_| !asked);
        let sign_key = signing.and_then(|receipt| receipt.sign_key.as_ref());
        let sign_key_file = signing.and_then(|receipt| receipt.sign_key_file.as_ref());
        for key in sign_key.into_iter().chain(sign_key_file) {
            if let Ok(template) = Template::parse(&key.value) {
                Seen::add(&mut seen, &template);
            }
        }
        let mut paths =
            Paths { pipeline: self, variable, seen: &seen, met: Vec::new(), problems: Vec::new() };
        let mut of = |written: &crate::at::At<String>| paths.resolved(&written.value, written.span().into());
        let (url_file, url_command) = match &raw.database {
            Some(raw::Database::Mapping(source)) => (source.url_file.as_ref(), source.url_command.as_ref()),
            _ => (None, None),
        };
        let (url_file, sign_key_file) = (url_file.map(&mut of), sign_key_file.map(&mut of));
        let written = receipt.and_then(|receipt| receipt.write.as_ref()).map(&mut of);
        let from = raw.receipts.iter().flat_map(|receipts| receipts.from.iter().flatten());
        let receipts = from.map(of).collect();
        let fixtures = environment.fixtures.as_mut().map(|fixtures| &mut fixtures.sql);
        let stages = [
            &mut environment.schema.path,
            &mut environment.schema.snapshot,
            &mut environment.index.path,
            &mut environment.backfill.path,
        ];
        for path in stages.into_iter().chain(fixtures) {
            *path = paths.resolved(&path.to_string_lossy(), None);
        }
        let Paths { met, problems, .. } = paths;
        if !problems.is_empty() {
            return Err(Error::new(problems));
        }
        let variables = seen.into_iter().filter_map(|one| {
            let deploys_only = !everybody.contains(&one.name);
            Some(Needed { supply: supply(&one, &met, variable)?, name: one.name, deploys_only })
        });
        let variables = variables.collect();
        let url_command = url_command.map(|words| {
            let words: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
            program("database.url_command".to_owned(), &words)
        });
        let programs = programs(&environment);
        Ok(Needs {
            environment,
            variables,
            url_file,
            sign_key_file,
            receipts,
            receipt: written,
            url_command,
            programs,
        })
    }
}

/// The paths of an environment, one after the other.
struct Paths<'a> {
    pipeline: &'a Pipeline,
    variable: &'a dyn Fn(&str) -> Option<String>,
    seen: &'a [Seen],
    /// The variables in them.
    met: Vec<String>,
    problems: Vec<Problem>,
}

impl Paths<'_> {
    fn resolved(&mut self, text: &str, span: Option<Range<usize>>) -> PathBuf {
        // The text has been read as a template before.
        let Ok(template) = Template::parse(text) else { return text.into() };
        for name in template.variables() {
            if !self.met.iter().any(|met| met == name) {
                self.met.push(name.to_owned());
            }
            if is_free(self.seen, name) || set(self.variable, name).is_some() {
                continue;
            }
            let message =
                format!("`{name}` is not set, and what is mounted where depends on the path `{text}`");
            let help = format!(
                "write a default, ${{{name}:-/run/secrets}}, or set it for this command: `export {name}=/run/secrets`"
            );
            let problem = self.pipeline.document.problem(code::VARIABLE_NOT_SET, span.clone(), message);
            self.problems.push(problem.help(help));
        }
        let value = |name: &str| set(self.variable, name).filter(|_| !is_free(self.seen, name));
        template.resolve(&value).unwrap_or_default().into()
    }
}

/// A value; an empty one is none, as in references.
fn set(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

/// Whether a variable is left at its defaults.
fn is_free(seen: &[Seen], name: &str) -> bool {
    seen.iter().any(|one| one.name == name && one.has_default)
}

/// Where a variable's value comes from; `None` where it is left at its defaults, since paths were resolved with them.
fn supply(seen: &Seen, met: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Option<Supply> {
    match (met.contains(&seen.name), seen.has_default) {
        (true, true) => None,
        (true, false) => Some(Supply::Decided(set(variable, &seen.name)?)),
        (false, true) => Some(Supply::Optional),
        (false, false) => Some(Supply::Demanded),
    }
}

fn programs(environment: &Environment) -> Vec<Program> {
    let mut found = Vec::new();
    let mut add = |key: String, command: &services::Command| found.push(program(key, &command.run));
    if let Some(services) = &environment.services {
        services.stop.iter().for_each(|stop| add("services.stop".to_owned(), stop));
        services.start.iter().for_each(|start| add("services.start".to_owned(), start));
        for health in &services.health {
            if let Probe::Run(command) = &health.probe {
                add("services.health".to_owned(), command);
            }
        }
    }
    for hook in environment.hooks.iter() {
        add(format!("hooks.{}", hook.point.as_str()), &hook.command);
    }
    for one in &environment.verify {
        if let Verification::Run { command, .. } = one {
            add("verify".to_owned(), command);
        }
    }
    found
}

fn program(key: String, words: &[String]) -> Program {
    let word = |word: &String| {
        let resolved = Template::parse(word).ok().and_then(|template| template.resolve(&|_| None).ok());
        resolved.unwrap_or_else(|| word.clone())
    };
    Program { key, words: words.iter().map(word).collect() }
}
