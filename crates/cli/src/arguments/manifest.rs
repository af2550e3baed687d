//! Manifests of containers and CI systems.

use clap::{Args, ValueEnum};

use super::Environment;

#[derive(Debug, Args)]
pub(crate) struct Manifest {
    /// Which
    #[arg(value_enum)]
    pub(crate) of: ManifestOf,
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// The image with the release in it, without a tag; default: the pipeline's name and -release
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// The application's image; default: the pipeline's name and -web:latest
    #[arg(long, value_name = "IMAGE")]
    pub(crate) application: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ManifestOf {
    /// The image of the release: a static binary and the files
    Dockerfile,
    /// The deploy, the backfills beside it, the application behind it
    Compose,
    /// A Job, and a Deployment whose pods wait for it
    K8s,
    /// A GitHub workflow
    Github,
    /// A GitLab pipeline
    Gitlab,
    /// The first 12 digits of the release's hash: the image's tag
    Release,
}
