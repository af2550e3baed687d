//! A release: the files of the three stages, checked and hashed. No database is needed for it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sql::{Folder, Problem, Source};

use crate::contract;
use crate::event::StageName;

/// The files of a release.
#[derive(Debug)]
pub struct Release {
    /// Stage 1.
    pub migrations: schema::Migrations,
    /// Rows for an embedded database.
    pub fixtures: Option<schema::Fixtures>,
    /// What an empty database gets instead of the files that it stands for, where the pipeline says so.
    pub snapshot: Option<Source>,
    /// Stage 2.
    pub indexes: index::Declarations,
    /// Stage 3.
    pub backfills: backfill::Definitions,
    /// Every file of the stages, in order.
    pub files: Vec<File>,
    /// SHA-256 over stage, path and hash of every file and over the settings that shape what a deploy does.
    pub hash: String,
}

/// A file as promotion knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Whose file it is.
    pub stage: StageName,
    /// Relative to the pipeline's directory.
    pub path: PathBuf,
    /// SHA-256 of its text.
    pub sha256: String,
}

/// Where the files are, and what else makes the release what it is.
pub struct Folders<'a> {
    stages: [&'a Path; 3],
    fixtures: Option<&'a pipeline::Fixtures>,
    snapshot: Option<&'a Path>,
    settings: String,
}

impl<'a> From<&'a pipeline::Environment> for Folders<'a> {
    fn from(environment: &'a pipeline::Environment) -> Self {
        Self {
            stages: [&environment.schema.path, &environment.index.path, &environment.backfill.path],
            fixtures: environment.fixtures.as_ref(),
            snapshot: environment.schema.snapshot_when_empty.then_some(&environment.schema.snapshot),
            settings: environment.effective_without_secrets(),
        }
    }
}

/// Without an environment, and so without its variables: enough to check the files.
impl<'a> From<&'a pipeline::Settings> for Folders<'a> {
    fn from(settings: &'a pipeline::Settings) -> Self {
        let stages = [settings.schema.path.as_path(), &settings.index.path, &settings.backfill.path];
        Self { stages, fixtures: None, snapshot: None, settings: String::new() }
    }
}

impl Release {
    /// Reads the folders of the stages. All problems of all files are returned at once.
    pub fn load<'a>(directory: &Path, folders: impl Into<Folders<'a>>) -> Result<Self, Vec<Problem>> {
        let Folders { stages, fixtures, snapshot, settings } = folders.into();
        let mut problems = Vec::new();
        let mut files = Vec::new();
        let (downs, unreadable) = Folder::new(directory, stages[0]).downs();
        problems.extend(unreadable);
        let mut read = |stage, path: &Path| {
            let (sources, unreadable) = Folder::new(directory, path).sources();
            problems.extend(unreadable);
            files.extend(sources.iter().map(|source| File::of(stage, source)));
            sources
        };
        let migrations = read(StageName::Schema, stages[0]);
        let indexes = read(StageName::Index, stages[1]);
        let backfills = read(StageName::Backfill, stages[2]);
        let fixtures = fixtures.map(|fixtures| {
            let source = Source::read(directory, &fixtures.sql)?;
            Ok(schema::Fixtures { after: fixtures.after, source })
        });
        let fixtures = fixtures.transpose().map_err(|problem| problems.push(problem)).unwrap_or_default();
        let read = |path| {
            Source::read(directory, path).map_err(|problem| problem.help("write it: pgdeploy snapshot"))
        };
        let snapshot = snapshot.map(read).transpose();
        let snapshot = snapshot.map_err(|problem| problems.push(problem)).unwrap_or_default();
        let migrations = collect(schema::load(migrations, downs), &mut problems);
        let indexes = collect(index::load(&indexes), &mut problems);
        let backfills = collect(backfill::load(&backfills), &mut problems);
        if let (Some(migrations), Some(backfills)) = (&migrations, &backfills) {
            let known: Vec<&str> = migrations.0.iter().map(|migration| migration.id()).collect();
            problems.extend(backfills.without_migration(&known));
        }
        match (migrations, indexes, backfills) {
            (Some(migrations), Some(indexes), Some(backfills)) if problems.is_empty() => {
                let hash = hash(&files, &settings);
                let release = Self { migrations, fixtures, snapshot, indexes, backfills, files, hash };
                let unknown = contract::unknown(&release);
                if unknown.is_empty() { Ok(release) } else { Err(unknown) }
            }
            // All that is wrong is told at once; where the migrations have not loaded, it is among their problems.
            (migrations, ..) => {
                problems.extend(migrations.iter().flat_map(schema::check_all));
                Err(problems)
            }
        }
    }

    /// The first 12 digits of the hash: what people are shown.
    pub fn short_hash(&self) -> &str {
        &self.hash[..12]
    }

    /// The file that declares an index, or its removal.
    pub(crate) fn path_of_index(&self, name: &str) -> Option<&Path> {
        let declared =
            self.indexes.indexes.iter().find(|index| index.name == name).map(|index| &index.source);
        let removed = || self.indexes.tombstones.iter().find(|tombstone| tombstone.name == name);
        declared.or_else(|| removed().map(|tombstone| &tombstone.source)).map(|source| source.path.as_path())
    }

    /// The file of a backfill.
    pub(crate) fn path_of_backfill(&self, id: &str) -> Option<&Path> {
        let found = self.backfills.items().iter().find(|definition| definition.id == id);
        found.map(|definition| definition.source.path.as_path())
    }

    /// Parses every migration. A deploy parses the pending ones only.
    pub fn check(&self) -> Vec<Problem> {
        schema::check_all(&self.migrations)
    }
}

impl File {
    fn of(stage: StageName, source: &Source) -> Self {
        Self { stage, path: source.path.clone(), sha256: source.sha256.clone() }
    }
}

fn collect<T>(loaded: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    loaded.map_err(|found| problems.extend(found)).ok()
}

fn hash(files: &[File], settings: &str) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{} {} {}\n", file.stage.as_str(), file.path.display(), file.sha256));
    }
    hash.update(settings);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
