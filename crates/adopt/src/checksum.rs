//! The checksums that other tools keep in their histories, as they compute them.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256, Sha384};

/// Prisma: SHA-256 of the file. A checkout with other line ends is the same file to it.
pub(crate) fn prisma(raw: &str) -> Vec<String> {
    let lf = raw.replace("\r\n", "\n");
    let crlf = lf.replace('\n', "\r\n");
    [raw, lf.as_str(), crlf.as_str()].iter().map(|text| hexadecimal(&Sha256::digest(text))).collect()
}

/// sqlx: SHA-384 of the file.
pub(crate) fn sqlx(raw: &str) -> String {
    hexadecimal(&Sha384::digest(raw))
}

/// Flyway: CRC-32 over the lines without their ends, as a signed number.
pub(crate) fn flyway(raw: &str) -> String {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    let text = raw.strip_prefix('\u{feff}').unwrap_or(raw).replace("\r\n", "\n").replace('\r', "\n");
    // What follows the last line end is a line only if there is something.
    text.strip_suffix('\n').unwrap_or(&text).split('\n').for_each(|line| digest.update(line.as_bytes()));
    digest.finalize().cast_signed().to_string()
}

/// refinery: SipHash-1-3 over name, version and text. The version is an `i32`, or an `i64` with `int8-versions`.
pub(crate) fn refinery(name: &str, version: i64, raw: &str) -> Vec<String> {
    let with = |version: &dyn Fn(&mut siphasher::sip::SipHasher13)| {
        let mut hasher = siphasher::sip::SipHasher13::new();
        name.hash(&mut hasher);
        version(&mut hasher);
        raw.hash(&mut hasher);
        hasher.finish().to_string()
    };
    let narrow = i32::try_from(version).ok();
    let narrow = narrow.map(|version| with(&|hasher| version.hash(hasher)));
    narrow.into_iter().chain([with(&|hasher| version.hash(hasher))]).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_do_not_change_what_flyway_keeps() {
        // python3 -c 'import zlib; print(zlib.crc32(b"create table t ();-- end"))'
        assert_eq!(flyway("create table t ();\n-- end\n"), "-636745208");
        assert_eq!(flyway("\u{feff}create table t ();\r\n-- end"), "-636745208");
    }
}
