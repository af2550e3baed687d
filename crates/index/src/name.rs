//! Names that are made from the name of a declared index.

use sha2::{Digest, Sha256};

/// PostgreSQL cuts longer names without an error (NAMEDATALEN - 1).
pub(crate) const MAX_NAME_BYTES: usize = 63;
/// The end of the name under which a replacement is built.
pub(crate) const NEW: &str = "_dpnew";
/// The end of the name under which the replaced index waits for its drop.
pub(crate) const OLD: &str = "_dpold";

/// `name` with an end, within PostgreSQL's limit: a name that is too long is cut, and told apart by a hash.
pub(crate) fn with_end(name: &str, end: &str) -> String {
    let whole = format!("{name}{end}");
    if whole.len() <= MAX_NAME_BYTES {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    // The end of a replacement is how it is known; that of a partition is only a help for people.
    let end = if end == NEW || end == OLD { end } else { "" };
    let room = MAX_NAME_BYTES - hash.len() - 1 - end.len();
    let kept = if end.is_empty() { &whole } else { name };
    let cut = (0..=room.min(kept.len())).rev().find(|at| kept.is_char_boundary(*at)).unwrap_or(0);
    format!("{}_{hash}{end}", &kept[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character_and_stay_apart() {
        assert_eq!(with_end("a", NEW), "a_dpnew");
        let long = "é".repeat(31);
        let (new, old) = (with_end(&long, NEW), with_end(&long, OLD));
        assert!(new.ends_with(NEW) && old.ends_with(OLD) && new.len() <= 63 && old.len() <= 63);
        let (one, two) = (with_end(&long, "_p1"), with_end(&long, "_p2"));
        assert!(one != two && one.len() <= 63 && two.len() <= 63);
    }
}
