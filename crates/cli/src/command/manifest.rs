//! `pgdeploy manifest`: what runs the deploys of an environment elsewhere.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ::manifest::{Facts, SecretFile, Value, Variable};
use orchestrator::{Failure, Release};
use pipeline::{Environment, Needed, Needs, Pipeline, Program, Supply, Verification};

use crate::arguments::{Global, Manifest, ManifestOf};
use crate::context::{load_pipeline, variable};
use crate::output::say_bytes;
use crate::render::Style;
use crate::told::{Told, tell_configuration, tell_failure};

/// Beyond the budgets: for what has none, such as reading the catalog and one migration behind another.
const MARGIN: Duration = Duration::from_secs(300);

pub(crate) fn run(global: &Global, arguments: &Manifest) -> Result<ExitCode, Told> {
    let pipeline = load_pipeline(global)?;
    let style = Style::new(global.color);
    let facts = facts(&pipeline, arguments).map_err(|wrong| match wrong {
        Wrong::Configuration(error) => tell_configuration(&error, global.format, style),
        Wrong::Files(problems) => tell_failure(&Failure::files(problems), global.format, style, ""),
    })?;
    let text = match arguments.of {
        ManifestOf::Dockerfile => ::manifest::dockerfile(&facts),
        ManifestOf::Compose => ::manifest::compose(&facts),
        ManifestOf::K8s => ::manifest::kubernetes(&facts),
        ManifestOf::Github => ::manifest::github(&facts),
        ManifestOf::Gitlab => ::manifest::gitlab(&facts),
        ManifestOf::Release => format!("{}\n", &facts.release[..12]),
    };
    say_bytes(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

enum Wrong {
    Configuration(pipeline::Error),
    Files(Vec<sql::Problem>),
}

/// The values of variables are needed where paths depend on them, and nowhere else.
fn facts(pipeline: &Pipeline, arguments: &Manifest) -> Result<Facts, Wrong> {
    let name = match &arguments.environment.name {
        Some(name) => name.as_str(),
        None => pipeline.default_environment().map_err(Wrong::Configuration)?,
    };
    let own = pipeline.needs(name, false, &variable).map_err(Wrong::Configuration)?;
    let environment = &own.environment;
    // Where receipts are the evidence, a deploy asks no other database, and has no business with its secrets.
    let asked = if environment.gates.receipts.is_some() { &[][..] } else { &environment.after };
    let upstreams =
        asked.iter().map(|before| Ok((before.as_str(), pipeline.needs(before, true, &variable)?)));
    let upstreams: Vec<(&str, Needs)> = upstreams.collect::<Result<_, _>>().map_err(Wrong::Configuration)?;
    let release = Release::load(pipeline.base_dir(), environment).map_err(Wrong::Files)?;
    let named = pipeline.name();
    let image = |suffix: &str| ::manifest::image_name(named, suffix);
    Ok(Facts {
        pipeline: named.to_owned(),
        environment: name.to_owned(),
        config: config(pipeline),
        files: files(pipeline, &own),
        programs: programs(pipeline, &own, &upstreams),
        variables: variables(&own, &upstreams),
        secrets: secrets(&own, &upstreams),
        receipts: own.receipts.iter().map(|path| path.display().to_string()).collect(),
        receipt: own.receipt.as_ref().map(|path| path.display().to_string()),
        image: arguments.image.clone().unwrap_or_else(|| image("release")),
        application: arguments.application.clone().unwrap_or_else(|| format!("{}:latest", image("web"))),
        deadline: deadline(pipeline, environment),
        has_backfills: !release.backfills.items().is_empty(),
        release: release.hash,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn config(pipeline: &Pipeline) -> String {
    let name = pipeline.path().file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "pipeline.yaml".to_owned())
}

/// Its own variables, then those of the environments whose ledgers a deploy asks.
fn variables(own: &Needs, upstreams: &[(&str, Needs)]) -> Vec<Variable> {
    let variable = |needed: &Needed, deploys_only: bool| Variable {
        name: needed.name.clone(),
        value: match &needed.supply {
            Supply::Demanded => Value::Demanded,
            Supply::Optional => Value::Optional,
            Supply::Decided(value) => Value::Decided(value.clone()),
        },
        deploys_only,
    };
    let mut variables: Vec<Variable> =
        own.variables.iter().map(|needed| variable(needed, needed.deploys_only)).collect();
    for needed in upstreams.iter().flat_map(|(_, needs)| &needs.variables) {
        match variables.iter_mut().find(|known| known.name == needed.name) {
            Some(known) if known.value == Value::Optional => known.value = variable(needed, true).value,
            Some(_) => {}
            None => variables.push(variable(needed, true)),
        }
    }
    variables
}

fn secrets(own: &Needs, upstreams: &[(&str, Needs)]) -> Vec<SecretFile> {
    let file = |key: String, what: String, path: &Path, deploys_only| SecretFile {
        key,
        what,
        path: path.display().to_string(),
        deploys_only,
    };
    let url = own
        .url_file
        .iter()
        .map(|path| file("database-url".into(), "the URL of the database".into(), path, false));
    let key = own
        .sign_key_file
        .iter()
        .map(|path| file("receipt-key".into(), "the key that signs the receipt".into(), path, true));
    let theirs = upstreams.iter().filter_map(|(name, needs)| {
        let key = format!("{}-database-url", name.trim_end_matches(['_', '-']));
        Some(file(key, format!("the URL of the database of {name}"), needs.url_file.as_ref()?, true))
    });
    let mut files: Vec<SecretFile> = Vec::new();
    for one in url.chain(key).chain(theirs) {
        if !files.iter().any(|known| known.path == one.path) {
            files.push(one);
        }
    }
    files
}

/// What a deploy to the environment reads, as far as it is there.
fn files(pipeline: &Pipeline, needs: &Needs) -> Vec<String> {
    let environment = &needs.environment;
    let mut found = vec![PathBuf::from(config(pipeline))];
    let folders = [&environment.schema.path, &environment.index.path, &environment.backfill.path];
    let snapshot = environment.schema.snapshot_when_empty.then_some(&environment.schema.snapshot);
    let fixtures = environment.fixtures.as_ref().map(|fixtures| &fixtures.sql);
    let guard = PathBuf::from("guard.grandfathered.yaml");
    let read = std::iter::once(&guard).chain(folders).chain(snapshot).chain(fixtures).cloned();
    let commands = needs.programs.iter().chain(&needs.url_command);
    let scripts = commands.flat_map(|program| scripts(pipeline.base_dir(), program));
    for path in read.filter(|path| pipeline.base_dir().join(path).exists()).chain(scripts) {
        if !found.iter().any(|known| path.starts_with(known)) {
            found.push(path);
        }
    }
    found.into_iter().map(|path| path.display().to_string()).collect()
}

/// The words of a command that are files below the project. A name without a slash is looked up elsewhere as a program, and
/// as an argument it may be anything that a folder happens to be called.
fn scripts(base: &Path, program: &Program) -> Vec<PathBuf> {
    let words = program.words.iter().enumerate();
    let named = words.filter(|(nth, word)| word.contains('/') || (*nth > 0 && base.join(word).is_file()));
    let below = named.filter_map(|(_, word)| {
        let path: PathBuf = Path::new(word).components().filter(|part| *part != Component::CurDir).collect();
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        (is_below && path != Path::new("") && base.join(&path).exists()).then_some(path)
    });
    below.collect()
}

/// The programs that come from elsewhere, each with the keys that call it.
fn programs(pipeline: &Pipeline, own: &Needs, upstreams: &[(&str, Needs)]) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let theirs = upstreams.iter().flat_map(|(_, needs)| &needs.url_command);
    for program in own.url_command.iter().chain(&own.programs).chain(theirs) {
        let Some(name) = program.words.first() else { continue };
        let alone = Program { key: String::new(), words: vec![name.clone()] };
        if !scripts(pipeline.base_dir(), &alone).is_empty() {
            continue;
        }
        match found.iter_mut().find(|(known, _)| known == name) {
            Some((_, keys)) if keys.contains(&program.key.as_str()) => {}
            Some((_, keys)) => keys.push(&program.key),
            None => found.push((name, vec![&program.key])),
        }
    }
    found.into_iter().map(|(name, keys)| format!("{name} ({})", keys.join(", "))).collect()
}

/// The longest that a deploy may take by its own settings.
fn deadline(pipeline: &Pipeline, environment: &Environment) -> Duration {
    let services = environment.services.as_ref().map_or(Duration::ZERO, |services| {
        let stop = services.stop.as_ref().map_or(Duration::ZERO, |stop| stop.timeout);
        let gone = services.quiesced.as_ref().map_or(Duration::ZERO, |quiesced| quiesced.within);
        let start = services.start.as_ref().map_or(Duration::ZERO, |start| start.timeout);
        // All health checks count from the start.
        let healthy = services.health.iter().map(|health| health.within).max().unwrap_or_default();
        stop + gone + start + healthy
    });
    let hooks: Duration = environment.hooks.iter().map(|hook| hook.command.timeout).sum();
    let verify: Duration = environment
        .verify
        .iter()
        .map(|one| match one {
            Verification::Sql { timeout, .. } => *timeout,
            Verification::Run { command, .. } => command.timeout,
        })
        .sum();
    pipeline.connect().wait
        + pipeline.lock().wait
        + environment.schema.retry_for
        + environment.schema.statement_timeout
        + environment.index.budget
        + environment.backfill.budget
        + services
        + hooks
        + verify
        + MARGIN
}
