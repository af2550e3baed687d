//! The file as text: read within bounds, UTF-8, and a masked copy for what people get to see.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::code;
use crate::problem::{Error, Problem};
use crate::url::mask_passwords;

/// The largest pipeline.yaml that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// What problems need to know of the file.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    /// Passwords in it are overwritten.
    pub(crate) text: Arc<str>,
}

impl Document {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: mask_passwords(text).into() }
    }

    pub(crate) fn problem(
        &self,
        code: &'static str,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
    ) -> Problem {
        let message = mask_passwords(&message.into());
        let (path, text, span) = (self.path.clone(), self.text.clone(), span.into());
        Problem { code, message, path, text, span, help: None }
    }
}

/// Reads the file, at most [`MAX_FILE_BYTES`] of it.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let document = Document::new(path, "");
    let unreadable = |message: String| document.problem(code::UNREADABLE, None, message);
    let cannot = |error: std::io::Error| {
        let problem = unreadable(format!("cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                problem.help("write one with `pgdeploy init`, or name it with --config")
            }
            _ => problem,
        }
    };
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        let help = format!("name the file: {}", path.join("pipeline.yaml").display());
        return Err(unreadable("is a directory".into()).help(help).into());
    }
    if !metadata.is_file() {
        return Err(unreadable("is not a regular file".into()).into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(&document).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let document = Document::new(path, &String::from_utf8_lossy(error.as_bytes()));
        let end = at + '\u{fffd}'.len_utf8();
        document.problem(code::UNREADABLE, at..end, "is not UTF-8").help("save it as UTF-8").into()
    })
}

/// Refuses what no YAML parser should see.
pub(crate) fn check(text: &str, document: &Document) -> Result<(), Error> {
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(&Document::new(&document.path, "")).into());
    }
    match text.find('\0') {
        Some(at) => Err(document
            .problem(code::UNREADABLE, at..at + 1, "holds a NUL byte: this is not a text file")
            .into()),
        None => Ok(()),
    }
}

fn too_large(document: &Document) -> Problem {
    document.problem(code::UNREADABLE, None, format!("is larger than {} KiB", MAX_FILE_BYTES / 1024))
}
