//! Where PostgreSQL's server programs are on this machine.

use crate::account::clean;
use crate::error::Error;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The variables that name the directory, and turn the search off: what a person says goes before what a run of tests on
/// another server (`scripts/servers`) says.
const BINDIR: [&str; 2] = ["PGDEPLOY_PG_BINDIR", "PGDEPLOY_TEST_BINDIR"];

/// What has to be in the directory.
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "psql"];

/// Directories of packages that are not in PATH: (parent, start of the entry's name, rest of the path).
const PLACES: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
];

/// One directory that holds `initdb`, `postgres` and `psql` of one version.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
}

impl Binaries {
    /// Searches `PGDEPLOY_PG_BINDIR`, `PGDEPLOY_TEST_BINDIR`, `pg_config --bindir`, PATH, and the places of Debian's,
    /// Red Hat's and Homebrew's packages (the newest major version first).
    ///
    /// # Errors
    /// [`Error::BindirWrong`] if one of the variables is set and its directory lacks a program: there is no fallback
    /// from what was asked for. [`Error::BinariesNotFound`] with every place that was looked at.
    pub fn find() -> Result<Self, Error> {
        let said = |variable: &&str| env::var_os(variable).filter(|dir| !dir.is_empty());
        if let Some((variable, dir)) = BINDIR.iter().find_map(|variable| Some((*variable, said(variable)?))) {
            return Self::named_by(variable, Path::new(&dir));
        }
        let mut looked = vec![format!("{} (not set)", BINDIR[0])];
        for dir in pg_config().into_iter().chain(path()).chain(PLACES.iter().flat_map(packages)) {
            if missing(&dir).is_none() {
                return Self::at(&dir);
            }
            looked.push(dir.display().to_string());
        }
        looked.extend(PLACES.iter().map(|(parent, start, rest)| format!("{parent}/{start}*/{rest}")));
        Err(Error::BinariesNotFound { looked })
    }

    /// The programs of one major version, where they are at hand: those that [`Binaries::find`] finds, or a package's.
    #[must_use]
    pub fn of_major(major: u32) -> Option<Self> {
        let of = |found: &Self| found.major == major;
        if let Some(found) = Self::find().ok().filter(of) {
            return Some(found);
        }
        let mut dirs = PLACES.iter().flat_map(packages).filter(|dir| missing(dir).is_none());
        dirs.find_map(|dir| Self::at(&dir).ok().filter(of))
    }

    /// The programs of this very directory.
    ///
    /// # Errors
    /// [`Error::BindirWrong`] if one is missing, [`Error::NoVersion`] if `postgres` does not run.
    pub fn at(dir: &Path) -> Result<Self, Error> {
        Self::named_by(BINDIR[0], dir)
    }

    fn named_by(variable: &'static str, dir: &Path) -> Result<Self, Error> {
        if let Some(program) = missing(dir) {
            return Err(Error::BindirWrong { variable, dir: dir.to_owned(), program });
        }
        let dir = fs::canonicalize(dir).map_err(Error::io("read", dir))?;
        let postgres = dir.join("postgres");
        let output = clean(&postgres).arg("--version").output().map_err(Error::io("run", &postgres))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Some(major) = major(&said) else { return Err(Error::NoVersion { program: postgres, said }) };
        Ok(Self { dir, major })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The major version, 15 for 15.18.
    #[must_use]
    pub fn major_version(&self) -> u32 {
        self.major
    }

    /// The path of one of the programs, `psql` for one.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The first program that is not in `dir`.
fn missing(dir: &Path) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| !dir.join(program).is_file())
}

/// "postgres (PostgreSQL) 15.18 (Debian ..)" is 15, "postgres (PostgreSQL) 19beta1" is 19.
fn major(said: &str) -> Option<u32> {
    let version = said.strip_prefix("postgres (PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn pg_config() -> Option<PathBuf> {
    let output = clean("pg_config").arg("--bindir").output().ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(dir.trim())).filter(|dir| dir.is_absolute())
}

/// The directories in which PATH's `postgres` really is: initdb needs its neighbours, not the link's.
fn path() -> Vec<PathBuf> {
    let Some(path) = env::var_os("PATH") else { return Vec::new() };
    env::split_paths(&path)
        .filter_map(|dir| Some(fs::canonicalize(dir.join("postgres")).ok()?.parent()?.to_owned()))
        .collect()
}

/// One package place's directories, the newest major version first.
fn packages((parent, start, rest): &(&str, &str, &str)) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(start)?.trim_start_matches('@').parse().unwrap_or(0);
            Some((version, entry.path().join(rest)))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("bash: postgres: command not found"), None);
    }
}
