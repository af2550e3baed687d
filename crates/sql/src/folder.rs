//! A stage's folder: which files it holds, in which order.

use std::fs::ReadDir;
use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::source::{Source, inside};

/// What the name of a file that takes a migration back ends in.
const DOWN: &str = ".down.sql";

/// A folder of `*.sql` files below a pipeline's directory.
#[derive(Debug, Clone)]
pub struct Folder {
    base: PathBuf,
    path: PathBuf,
}

/// The number and the name of `0042_add_email.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// The leading number, of any width: `42`, or a timestamp.
    pub version: u64,
    /// The number as it is written, with its zeros.
    pub written: String,
    /// What follows the number, without the separator.
    pub name: String,
}

impl Folder {
    /// `path` is relative to `base`, the directory of pipeline.yaml.
    pub fn new(base: &Path, path: &Path) -> Self {
        Self { base: base.into(), path: path.into() }
    }

    /// Every `*.sql` file of the folder by name, each read or the problem with it. Other files are left alone, as
    /// are `*.down.sql` and hidden files. A folder that does not exist is an empty one.
    pub fn sources(&self) -> (Vec<Source>, Vec<Problem>) {
        self.read(|name| !name.ends_with(DOWN))
    }

    /// The `*.down.sql` files, in the same way; what is wrong with the folder as a whole is a problem of its sources.
    pub fn downs(&self) -> (Vec<Source>, Vec<Problem>) {
        self.read(|name| name.ends_with(DOWN))
    }

    fn read(&self, wanted: impl Fn(&str) -> bool) -> (Vec<Source>, Vec<Problem>) {
        let (real, entries) = match self.entries() {
            Ok(Some(found)) => found,
            Ok(None) => return (Vec::new(), Vec::new()),
            Err(problem) => return (Vec::new(), Vec::from_iter(wanted("").then_some(problem))),
        };
        let mut entries: Vec<_> =
            entries.filter_map(Result::ok).map(|entry| (entry.file_name(), entry.file_type())).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        for (name, kind) in entries {
            let path = self.path.join(&name);
            // Only a link has to be followed to see where it leads.
            let read = || match kind.is_ok_and(|kind| !kind.is_symlink()) {
                true => Source::open(&real.join(&name), &path),
                false => Source::read(&self.base, &path),
            };
            match name.to_str() {
                Some(name) if name.starts_with('.') || !name.ends_with(".sql") || !wanted(name) => {}
                Some(_) => match read() {
                    Ok(source) => sources.push(source),
                    Err(problem) => problems.push(problem),
                },
                None if wanted("") && path.extension().is_some_and(|extension| extension == "sql") => {
                    problems.push(Problem::with_file("E213", &path, "has a name that is not UTF-8"));
                }
                None => {}
            }
        }
        (sources, problems)
    }

    /// Where the folder really is, and what is in it; `None` where there is none.
    fn entries(&self) -> Result<Option<(PathBuf, ReadDir)>, Problem> {
        let full = self.base.join(&self.path);
        let entries = match std::fs::read_dir(&full) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Problem::with_file("E210", &self.path, format!("cannot be read: {error}")));
            }
        };
        Ok(Some((inside(&self.base, &self.path)?, entries)))
    }
}

impl Numbered {
    /// The number and name of a file; an unversioned name is a [`Problem`], because it has no place in the order.
    pub fn of(source: &Source) -> Result<Self, Problem> {
        let stem = source.stem();
        let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
        let (written, rest) = stem.split_at(digits);
        let refuse = |message: String| {
            Problem::with_file("E214", &source.path, message)
                .help("start the name with a number and an underscore, such as 0042_add_email.sql")
        };
        if written.is_empty() {
            return Err(refuse("has no version: its place in the order is unknown".into()));
        }
        let version = written
            .parse::<i64>()
            .map(i64::unsigned_abs)
            .map_err(|_| refuse(format!("has a version with too many digits ({digits})")))?;
        match rest.strip_prefix(['_', '-']) {
            Some(name) if !name.is_empty() => {
                Ok(Self { version, written: written.into(), name: name.into() })
            }
            _ => Err(refuse("has a version but no name".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(name: &str) -> Result<Numbered, Problem> {
        Numbered::of(&Source::from_bytes(&Path::new("migrations").join(name), Vec::new())?)
    }

    #[test]
    fn versions_are_numbers_of_any_width() {
        assert_eq!(numbered("0042_add_email.sql").unwrap().version, 42);
        let timestamp = numbered("20260101091921-add.sql").unwrap();
        assert_eq!((timestamp.version, timestamp.name.as_str()), (20_260_101_091_921, "add"));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_a_link_out_of_the_directory_is_told_once_and_one_within_it_is_read() {
        let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in ["1_a.sql", "2_b.sql", "2_b.down.sql"] {
            std::fs::write(outside.path().join(file), "SELECT 1;").unwrap();
        }
        std::os::unix::fs::symlink(outside.path(), base.path().join("migrations")).unwrap();
        let folder = Folder::new(base.path(), Path::new("migrations"));
        let ((sources, problems), (downs, more)) = (folder.sources(), folder.downs());
        assert!(sources.is_empty() && downs.is_empty() && more.is_empty());
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E211"]);
        std::fs::create_dir(base.path().join("real")).unwrap();
        std::fs::write(base.path().join("real/1_a.sql"), "SELECT 1;").unwrap();
        std::os::unix::fs::symlink(base.path().join("real"), base.path().join("linked")).unwrap();
        let (sources, problems) = Folder::new(base.path(), Path::new("linked")).sources();
        assert_eq!((sources.len(), problems.len()), (1, 0));
    }

    #[test]
    fn names_without_version_or_name_are_refused() {
        for name in
            ["add_auth_models.sql", "0042.sql", "0042_.sql", "99999999999999999999999_x.sql", "42x.sql"]
        {
            assert_eq!(numbered(name).unwrap_err().code, "E214", "{name}");
        }
    }
}
