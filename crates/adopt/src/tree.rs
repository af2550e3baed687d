//! The files of the other tool's project.

use std::path::{Path, PathBuf};

use sql::{Problem, Source};

/// How deep folders are followed.
const MAX_DEPTH: usize = 12;

/// The files below a directory, by path.
#[derive(Debug, Clone)]
pub struct Tree {
    base: PathBuf,
    paths: Vec<PathBuf>,
}

/// A file as it is on disk, and as it is run.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// With LF line ends and without BOM.
    pub(crate) source: Source,
    /// As it is, for checksums.
    pub(crate) raw: String,
}

impl Tree {
    /// Lists a directory. Hidden folders and those of package managers are left alone.
    pub fn list(base: &Path) -> Result<Self, Problem> {
        let mut paths = Vec::new();
        if !base.is_dir() {
            return Err(Problem::with_file("E701", base, "is not a directory").help("name it with --source"));
        }
        walk(base, Path::new(""), MAX_DEPTH, &mut paths)?;
        paths.sort();
        Ok(Self { base: base.into(), paths })
    }

    /// The directory.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.paths.iter().any(|each| each == path.as_ref())
    }

    /// The files in a folder itself, by name.
    pub(crate) fn in_folder<'t>(&'t self, folder: &Path) -> impl Iterator<Item = &'t Path> + use<'t> {
        let folder = folder.to_owned();
        self.paths.iter().filter(move |path| path.parent() == Some(folder.as_path())).map(PathBuf::as_path)
    }

    /// The files in a folder and below it.
    pub(crate) fn below<'t>(&'t self, folder: &Path) -> impl Iterator<Item = &'t Path> + use<'t> {
        let folder = folder.to_owned();
        self.paths.iter().filter(move |path| path.starts_with(&folder)).map(PathBuf::as_path)
    }

    /// The first of some folders that holds a file which `is` accepts.
    pub(crate) fn folder(&self, candidates: &[&str], is: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let found =
            candidates.iter().map(Path::new).find(|folder| self.below(folder).any(|path| is(name(path))));
        found.map(Path::to_owned)
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &Path) -> Result<File, Problem> {
        let source = Source::read(&self.base, path)?;
        let unreadable = |error| Problem::with_file("E210", path, format!("cannot be read: {error}"));
        let raw = std::fs::read_to_string(self.base.join(path)).map_err(unreadable)?;
        Ok(File { source, raw })
    }

    /// There is nothing of the tool here.
    pub(crate) fn nothing(&self, what: &str, looked_at: &[&str]) -> Problem {
        let places =
            looked_at.iter().map(|place| if place.is_empty() { "the directory itself" } else { place });
        let places = places.collect::<Vec<_>>().join(", ");
        Problem::with_file("E701", &self.base, format!("holds no {what}: looked at {places}"))
            .help("name the directory of the tool's project, or the folder of its migrations, with --source")
    }
}

/// The file's name, or nothing.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn walk(base: &Path, folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |error| Problem::with_file("E210", folder, format!("cannot be read: {error}"));
    for entry in std::fs::read_dir(base.join(folder)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else {
            return Err(Problem::with_file("E213", &folder.join(&name), "has a name that is not UTF-8"));
        };
        if text.starts_with('.')
            || ["node_modules", "__pycache__", "target", "venv", "vendor"].contains(&text)
        {
            continue;
        }
        let path = folder.join(text);
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && depth > 0 {
            walk(base, &path, depth - 1, paths)?;
        } else if !kind.is_dir() {
            paths.push(path);
        }
    }
    Ok(())
}
