//! What a program that a deploy runs is told in its environment.

use crate::request::Request;

/// `PGDEPLOY_*` variables of a program.
pub(crate) struct Variables(Vec<(&'static str, String)>);

impl Variables {
    /// Those that every program gets.
    pub(crate) fn new(request: &Request, deployment: i64) -> Self {
        let mut variables = vec![
            ("PGDEPLOY_PIPELINE", request.pipeline.clone()),
            ("PGDEPLOY_ENVIRONMENT", request.environment.clone()),
            ("PGDEPLOY_DEPLOYMENT", deployment.to_string()),
            ("PGDEPLOY_RELEASE", request.release.hash.clone()),
            ("PGDEPLOY_ACTOR", request.actor.name.clone()),
        ];
        variables
            .extend(request.revision.as_ref().map(|revision| ("PGDEPLOY_COMMIT", revision.commit.clone())));
        Self(variables)
    }

    /// One more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}
