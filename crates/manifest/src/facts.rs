//! What a manifest depends on.

use std::time::Duration;

/// The user that the image runs as: the one that distroless images call nonroot.
pub const USER: u32 = 65532;

/// Everything that a manifest says of a pipeline and of one of its environments.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Hash of the release.
    pub release: String,
    /// Files and folders of the release, relative to pipeline.yaml.
    pub files: Vec<String>,
    /// Variables that the environment refers to, its secrets among them.
    pub variables: Vec<String>,
    /// Those of the environments that come before it, whose ledgers a deploy asks.
    pub upstream_variables: Vec<String>,
    /// The file that the database's URL is read from, where it is one.
    pub url_file: Option<String>,
    /// The image with the release in it, without a tag.
    pub image: String,
    /// The application's image.
    pub application: String,
    /// How long a deploy may take.
    pub deadline: Duration,
    /// Whether the release has backfills.
    pub has_backfills: bool,
    /// Version of the tool.
    pub version: String,
}

impl Facts {
    /// What a deploy needs; everything else needs the environment's own alone.
    pub(crate) fn deploy_variables(&self) -> impl Iterator<Item = &String> {
        self.variables.iter().chain(&self.upstream_variables)
    }

    /// The first 12 digits of the hash.
    pub(crate) fn short(&self) -> &str {
        &self.release[..self.release.len().min(12)]
    }

    /// The image with the release's hash as its tag: a name for exactly these files.
    pub(crate) fn tagged(&self) -> String {
        format!("{}:{}", self.image, self.short())
    }

    /// A name for a cluster: a DNS label (RFC 1123), at most 63 characters with its suffix.
    pub(crate) fn label(&self, suffix: &str) -> String {
        let name = self.pipeline.replace('_', "-");
        let room = 63 - suffix.len() - 1;
        format!("{}-{suffix}", name[..name.len().min(room)].trim_end_matches('-'))
    }
}
