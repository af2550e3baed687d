//! Programs of the user's at fixed points of a deploy.

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::raw::{self, Raw};
use crate::reading::Reading;
use crate::services::Command;

/// The hooks of an environment, each with its point, in the order of the points and of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks(Vec<Hook>);

/// A program at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// When it runs.
    pub point: Point,
    /// What it is called; once at each point.
    pub name: String,
    /// The program.
    pub command: Command,
    /// What the next deploy does where one died while it ran.
    pub if_interrupted: IfInterrupted,
}

/// What the next deploy does about a hook whose end nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfInterrupted {
    /// It runs again.
    Again,
    /// Somebody has to say.
    Ask,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before anything is touched.
    BeforeDeploy,
    /// Before the migrations.
    BeforeSchema,
    /// After the migrations.
    AfterSchema,
    /// Before the indexes.
    BeforeIndex,
    /// After the indexes.
    AfterIndex,
    /// Before the backfills.
    BeforeBackfill,
    /// After the backfills.
    AfterBackfill,
    /// After the services are back and everything is verified.
    AfterDeploy,
    /// When all of it has succeeded.
    OnSuccess,
    /// When it has failed.
    OnFailure,
}

impl Point {
    /// As it is written in pipeline.yaml and in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Point::BeforeDeploy => "before_deploy",
            Point::BeforeSchema => "before_schema",
            Point::AfterSchema => "after_schema",
            Point::BeforeIndex => "before_index",
            Point::AfterIndex => "after_index",
            Point::BeforeBackfill => "before_backfill",
            Point::AfterBackfill => "after_backfill",
            Point::AfterDeploy => "after_deploy",
            Point::OnSuccess => "on_success",
            Point::OnFailure => "on_failure",
        }
    }
}

impl Hooks {
    /// Those of one point, in their order.
    pub fn at(&self, point: Point) -> impl Iterator<Item = &Hook> {
        self.0.iter().filter(move |hook| hook.point == point)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Hook> {
        self.0.iter()
    }
}

impl Reading<'_> {
    /// Those that run in an environment.
    pub(crate) fn hooks(&mut self, raw: &raw::Hooks, pipeline: &Raw, environment: &str) -> Hooks {
        let points = [
            (Point::BeforeDeploy, &raw.before_deploy),
            (Point::BeforeSchema, &raw.before_schema),
            (Point::AfterSchema, &raw.after_schema),
            (Point::BeforeIndex, &raw.before_index),
            (Point::AfterIndex, &raw.after_index),
            (Point::BeforeBackfill, &raw.before_backfill),
            (Point::AfterBackfill, &raw.after_backfill),
            (Point::AfterDeploy, &raw.after_deploy),
            (Point::OnSuccess, &raw.on_success),
            (Point::OnFailure, &raw.on_failure),
        ];
        let mut hooks: Vec<Hook> = Vec::new();
        for (point, listed) in points {
            for one in listed.iter().flatten() {
                let Some(hook) = self.hook(point, one) else { continue };
                let here = self.is_here(one.only.as_deref(), pipeline, environment);
                let name = one.name.as_ref().filter(|_| here);
                let twice = hooks.iter().any(|known| known.point == point && known.name == hook.name);
                if let Some(name) = name.filter(|_| twice) {
                    let message = format!("two hooks of {} are called `{}`", point.as_str(), hook.name);
                    self.refuse(
                        code::BAD_VALUE,
                        name.span(),
                        message,
                        "records tell them apart by their names",
                    );
                }
                if here {
                    hooks.push(hook);
                }
            }
        }
        Hooks(hooks)
    }

    fn hook(&mut self, point: Point, raw: &raw::Hook) -> Option<Hook> {
        let choices = [
            (limits::IF_INTERRUPTED[0], IfInterrupted::Again),
            (limits::IF_INTERRUPTED[1], IfInterrupted::Ask),
        ];
        let if_interrupted = self.choice(raw.if_interrupted.as_ref(), &choices);
        let timeout = self.duration(raw.timeout.as_ref(), &limits::HOOK_TIMEOUT);
        let (name, run) = (raw.name.as_ref()?, self.arguments(raw.run.as_ref()?)?);
        Some(Hook { point, name: name.value.clone(), command: Command { run, timeout }, if_interrupted })
    }

    /// Whether an environment is among those that `only` names; they have to exist.
    pub(crate) fn is_here(&mut self, only: Option<&[At<String>]>, pipeline: &Raw, environment: &str) -> bool {
        let declared = pipeline.environments.iter().flat_map(|entries| &entries.0);
        let names: Vec<&str> = declared.map(|(name, _)| name.value.as_str()).collect();
        for one in only.into_iter().flatten().filter(|one| !names.contains(&one.value.as_str())) {
            self.no_such_environment(one, &names);
        }
        only.is_none_or(|only| only.iter().any(|one| one.value == environment))
    }
}
