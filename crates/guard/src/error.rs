//! What can go wrong outside of the files that are judged.

use std::path::PathBuf;

/// An error of the guard.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The grandfather list is no such list.
    #[error("{} is not a grandfather list", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_yaml::Error,
    },
    /// The grandfather list would grow.
    #[error("the grandfather list can only shrink: {file} ({rule}) is not in it")]
    Growth {
        /// The file of the first entry that is new.
        file: String,
        /// Its rule.
        rule: String,
    },
}
