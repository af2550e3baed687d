//! Texts that `EXECUTE` runs: what can be told of them, and what cannot be proven.

use crate::act::{Act, Origin, Via};
use crate::expand::Expansion;
use crate::fold::HOLE;
use crate::words;

/// The name that stands for one that is not known.
pub(crate) const UNKNOWN: &str = "guard_unknown";

/// Adds what any of the texts would run.
pub(crate) fn expand(expansion: &mut Expansion<'_>, texts: &[String], origin: &Origin) {
    let origin = Origin { via: origin.via.iter().copied().chain([Via::Dynamic]).collect(), ..origin.clone() };
    for text in texts {
        one(expansion, text, &origin);
    }
}

fn one(expansion: &mut Expansion<'_>, text: &str, origin: &Origin) {
    if text.trim_start().starts_with(HOLE) {
        let why = "EXECUTE of a text that is not known before it runs";
        expansion.acts.push(Act::unproven(why, origin));
        return;
    }
    if !text.contains(HOLE) {
        if expansion.text(text, origin).is_none() {
            by_words(expansion, text, origin);
        }
        return;
    }
    // A hole may be a name, a value or nothing at all: the first reading that is a statement is taken.
    let readings = [UNKNOWN, "'guard_unknown'", "1", "text", ""];
    let tight = readings.iter().map(|reading| text.replace(HOLE, reading));
    let loose = readings.iter().map(|reading| text.replace(HOLE, &format!(" {reading} ")));
    let parses = tight.chain(loose).any(|filled| expansion.text(&filled, origin).is_some());
    if !parses {
        by_words(expansion, text, origin);
    }
}

/// A fragment: by the words that it shows.
fn by_words(expansion: &mut Expansion<'_>, text: &str, origin: &Origin) {
    let readable = text.replace(HOLE, &format!(" {UNKNOWN} "));
    let defines = ["function", "procedure", "trigger", "rule", "policy"];
    let lower = readable.to_lowercase();
    let creates = lower.trim_start().starts_with("create") && defines.iter().any(|word| lower.contains(word));
    let writes = if creates { Vec::new() } else { words::writes(&readable) };
    if !writes.is_empty() {
        expansion.acts.push(Act::of_writes(writes, origin));
        return;
    }
    // What these begin cannot change rows by what is appended to it.
    const HARMLESS: [&str; 9] =
        ["alter", "comment", "create", "drop", "grant", "revoke", "set", "reset", "analyze"];
    if !HARMLESS.contains(&words::first(&readable).as_str()) {
        expansion.acts.push(Act::unproven("EXECUTE of a text that is not known before it runs", origin));
    }
}
