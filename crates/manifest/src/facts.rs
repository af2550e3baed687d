//! What a manifest depends on.

use std::time::Duration;

/// The user that the image runs as: the one that distroless images call nonroot.
pub const USER: u32 = 65532;

/// Where the release is in its image.
pub(crate) const RELEASE: &str = "/release";

/// Everything that a manifest says of a pipeline and of one of its environments.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Hash of the release.
    pub release: String,
    /// Name of the pipeline's file.
    pub config: String,
    /// Files and folders of the release, relative to the pipeline's file, which is the first.
    pub files: Vec<String>,
    /// Programs that are called and are no files of the release, each with what calls it.
    pub programs: Vec<String>,
    /// Variables that the environment refers to, and those of environments that its deploys ask.
    pub variables: Vec<Variable>,
    /// Files of secrets.
    pub secrets: Vec<SecretFile>,
    /// Receipts that are read, as they were written: relative to the pipeline's file, or absolute.
    pub receipts: Vec<String>,
    /// The receipt that is written.
    pub receipt: Option<String>,
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

/// A variable of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Whether nothing but a deploy needs it.
    pub deploys_only: bool,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A secret that has to be there.
    Demanded,
    /// A secret that may be there: the pipeline has a default.
    Optional,
    /// The manifest: what is mounted where depends on it.
    Decided(String),
}

/// A file that holds a secret and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// What the secret is called where it is kept, such as `database-url`.
    pub key: String,
    /// What it is, for people.
    pub what: String,
    /// Where it is read, relative to the pipeline's file or absolute.
    pub path: String,
    /// Whether nothing but a deploy needs it.
    pub deploys_only: bool,
}

/// Whose container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A deploy.
    Deploy,
    /// Everything else: it needs less.
    Other,
}

impl Role {
    fn needs(self, deploys_only: bool) -> bool {
        self == Role::Deploy || !deploys_only
    }
}

impl Facts {
    /// The variables of a container.
    pub(crate) fn variables(&self, role: Role) -> impl Iterator<Item = &Variable> {
        self.variables.iter().filter(move |one| role.needs(one.deploys_only))
    }

    /// The files of secrets of a container.
    pub(crate) fn secrets(&self, role: Role) -> impl Iterator<Item = &SecretFile> {
        self.secrets.iter().filter(move |one| role.needs(one.deploys_only))
    }

    /// The receipts that a container reads.
    pub(crate) fn receipts(&self, role: Role) -> impl Iterator<Item = &String> {
        self.receipts.iter().filter(move |_| role == Role::Deploy)
    }

    /// The folder that a container writes its receipt to, as it was written. None is one beside the pipeline's file: what is
    /// mounted there would hide the release.
    pub(crate) fn written(&self, role: Role) -> Option<&str> {
        let path = self.receipt.as_deref().filter(|_| role == Role::Deploy)?;
        let (folder, _) = path.rsplit_once('/')?;
        Some(folder).filter(|folder| !RELEASE.starts_with(&inside(folder)))
    }

    /// The first 12 digits of the hash.
    pub(crate) fn short(&self) -> &str {
        &self.release[..self.release.len().min(12)]
    }

    /// The image with the release's hash as its tag: a name for exactly these files.
    pub(crate) fn tagged(&self) -> String {
        format!("{}:{}", self.image, self.short())
    }
}

impl SecretFile {
    /// What a CI system calls the variable that holds it.
    pub(crate) fn variable(&self, facts: &Facts) -> String {
        let name = self.key.to_uppercase().replace('-', "_");
        let is_taken = facts.variables.iter().any(|one| one.name == name);
        if is_taken { format!("{name}_FILE") } else { name }
    }
}

/// Where a path of the pipeline is in the image.
pub(crate) fn inside(path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { RELEASE };
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_release() {
        for (path, is) in [
            ("receipts/staging.json", "/release/receipts/staging.json"),
            ("./a//b", "/release/a/b"),
            ("../keys/a", "/keys/a"),
            ("/run/secrets/url", "/run/secrets/url"),
            ("/../a", "/a"),
        ] {
            assert_eq!(inside(path), is);
        }
    }
}
