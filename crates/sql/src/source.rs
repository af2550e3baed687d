//! One SQL file as it is run and hashed: UTF-8, no BOM, LF line ends.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// Files above this are refused: a migration of this size carries data, which belongs elsewhere.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A SQL file. `text` is what is hashed and what is sent to the server, so that a checkout with CRLF line ends or an
/// editor's BOM changes neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the pipeline's directory; what people are shown.
    pub path: PathBuf,
    /// Without BOM, with LF line ends.
    pub text: Arc<str>,
    /// SHA-256 of `text`, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the bytes on disk, in hexadecimal.
    pub raw_sha256: String,
}

impl Source {
    /// Reads a file below `base`. A link that leaves `base`, a file that is not UTF-8 text, holds a NUL byte or is
    /// larger than [`MAX_FILE_BYTES`] is a [`Problem`].
    pub fn read(base: &Path, path: &Path) -> Result<Self, Problem> {
        Self::open(&inside(base, path)?, path)
    }

    /// Reads what is no link, at its real place; `path` is what it is called.
    pub(crate) fn open(real: &Path, path: &Path) -> Result<Self, Problem> {
        let unreadable = unreadable(path);
        // Before it is opened: a pipe would never answer.
        let metadata = real.symlink_metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Problem::with_file("E210", path, "is not a regular file"));
        }
        if metadata.len() > MAX_FILE_BYTES {
            let message = format!("is {} bytes; the limit is {MAX_FILE_BYTES}", metadata.len());
            return Err(Problem::with_file("E212", path, message)
                .help("load data with a backfill or with COPY, outside of a release"));
        }
        Self::from_bytes(path, std::fs::read(real).map_err(unreadable)?)
    }

    /// The same for bytes already in hand.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Problem> {
        let raw_sha256 = hexadecimal(&Sha256::digest(&bytes));
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Problem::with_file(
                "E213",
                path,
                format!("is not UTF-8 text: byte {at} does not start or continue a character"),
            )
            .help("save the file as UTF-8")
        })?;
        if let Some(at) = text.find('\0') {
            return Err(Problem::with_file(
                "E213",
                path,
                format!("holds a NUL byte at offset {at}: this is not SQL text"),
            ));
        }
        let without = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if without.len() == text.len() && !text.contains('\r') {
            return Ok(Self { path: path.into(), text: text.into(), sha256: raw_sha256.clone(), raw_sha256 });
        }
        let text = without.replace("\r\n", "\n");
        let sha256 = hexadecimal(&Sha256::digest(text.as_bytes()));
        Ok(Self { path: path.into(), text: text.into(), sha256, raw_sha256 })
    }

    /// The span of the word or symbol that starts at a byte offset, so that a caret has something to underline.
    pub fn token_at(&self, start: usize) -> Range<usize> {
        let rest = self.text.get(start..).unwrap_or("");
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
        start..start + length
    }

    /// The file's name without directories and `.sql`.
    pub fn stem(&self) -> &str {
        self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("")
    }
}

/// The real place of what `path` names below `base`; a link that leads out of `base` is a [`Problem`].
pub(crate) fn inside(base: &Path, path: &Path) -> Result<PathBuf, Problem> {
    let unreadable = unreadable(path);
    let real = base.join(path).canonicalize().map_err(unreadable)?;
    if !real.starts_with(base.canonicalize().map_err(unreadable)?) {
        return Err(Problem::with_file("E211", path, "is a link that leaves the pipeline's directory")
            .help("copy the file in: a release is what is in its own folder"));
    }
    Ok(real)
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Problem + Copy + '_ {
    move |error| Problem::with_file("E210", path, format!("cannot be read: {error}"))
}

/// Bytes in lowercase hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8]) -> Result<Source, Problem> {
        Source::from_bytes(Path::new("m/1_a.sql"), bytes.to_vec())
    }

    #[test]
    fn line_ends_and_a_bom_do_not_change_the_hash_but_text_does() {
        let plain = source(b"select 1;\nselect 2;\n").unwrap();
        let windows = source(b"\xef\xbb\xbfselect 1;\r\nselect 2;\r\n").unwrap();
        assert_eq!(plain.sha256, windows.sha256);
        assert_ne!(plain.raw_sha256, windows.raw_sha256);
        assert_ne!(plain.sha256, source(b"select 1;\nselect  2;\n").unwrap().sha256);
        // What sha256sum prints for the file, so that anybody can check a record by hand.
        assert_eq!(plain.sha256, "061e995aebcb765888ac7580f67ee3815a03b9b9c3fd5ff2dbb40db98b53a737");
    }

    #[test]
    fn binary_input_is_told_with_its_offset() {
        assert!(source(b"select '\xff'").unwrap_err().message.contains("byte 8"));
        assert!(source(b"select \0").unwrap_err().message.contains("offset 7"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), base.path().join("1_x.sql")).unwrap();
        assert_eq!(Source::read(base.path(), Path::new("1_x.sql")).unwrap_err().code, "E211");
    }
}
