//! `pgdeploy manifest`: what runs the deploys of an environment elsewhere.

use std::process::ExitCode;
use std::time::Duration;

use ::manifest::Facts;
use orchestrator::{Failure, Release};
use pipeline::{Environment, Pipeline, Verification};

use crate::arguments::{Global, Manifest, ManifestOf};
use crate::context::{Told, load_pipeline, tell_configuration, tell_failure};
use crate::output::say_bytes;
use crate::render::Style;

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

/// Nothing of the environment's variables is needed: only their names are.
fn facts(pipeline: &Pipeline, arguments: &Manifest) -> Result<Facts, Wrong> {
    let name = match &arguments.environment.name {
        Some(name) => name.as_str(),
        None => pipeline.default_environment().map_err(Wrong::Configuration)?,
    };
    let (environment, variables) = pipeline.as_written(name).map_err(Wrong::Configuration)?;
    let mut upstream_variables: Vec<String> = Vec::new();
    for before in &environment.after {
        // Its ledger is asked whether the release was there.
        let (_, theirs) = pipeline.as_written(before).map_err(Wrong::Configuration)?;
        upstream_variables.extend(theirs);
    }
    upstream_variables.sort();
    upstream_variables.dedup();
    upstream_variables.retain(|name| !variables.contains(name));
    let release = Release::load(pipeline.base_dir(), &environment).map_err(Wrong::Files)?;
    let named = pipeline.name();
    Ok(Facts {
        pipeline: named.to_owned(),
        environment: name.to_owned(),
        files: files(pipeline, &environment),
        variables,
        upstream_variables,
        url_file: pipeline.url_file(name).map(str::to_owned),
        image: arguments.image.clone().unwrap_or_else(|| format!("{named}-release")),
        application: arguments.application.clone().unwrap_or_else(|| format!("{named}-web:latest")),
        deadline: deadline(pipeline, &environment),
        has_backfills: !release.backfills.items().is_empty(),
        release: release.hash,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// What a deploy to the environment reads, as far as it is there.
fn files(pipeline: &Pipeline, environment: &Environment) -> Vec<String> {
    let file = pipeline.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let folders = [&environment.schema.path, &environment.index.path, &environment.backfill.path];
    let snapshot = environment.schema.snapshot_when_empty.then_some(&environment.schema.snapshot);
    let there = |path: &&std::path::PathBuf| pipeline.base_dir().join(path).exists();
    let paths = folders.into_iter().chain(snapshot).filter(there).map(|path| path.display().to_string());
    let guard = Some("guard.grandfathered.yaml".to_owned());
    let guard = guard.filter(|file| pipeline.base_dir().join(file).exists());
    file.into_iter().chain(guard).chain(paths).collect()
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
