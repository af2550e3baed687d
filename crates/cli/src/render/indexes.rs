//! `index list` for people: the indexes by table, and what a person should look at.

use orchestrator::IndexList;
use orchestrator::index::{Condition, Listed};

use crate::render::Style;
use crate::render::words::{bytes, counted, grouped};

/// A B-tree that is at least this much larger than its rows need is worth a word.
const BLOAT: (i64, f64) = (1024 * 1024, 0.3);

/// Every index, by table.
pub(crate) fn of_list(list: &IndexList, style: Style) -> String {
    let mut text = format!(
        "{} at {}   PostgreSQL {} at {}\n",
        style.strong(&list.pipeline),
        style.strong(&list.environment),
        list.server,
        list.target,
    );
    let mut table = None;
    for index in &list.indexes {
        let this = (&index.schema, &index.table);
        if table.replace(this) != Some(this) {
            text.push_str(&format!("{}\n", style.strong(&shown(index, &index.table))));
        }
        text.push_str(&line(index, style));
    }
    // Parts are counted with the whole.
    let size =
        list.indexes.iter().filter(|index| index.part_of.is_none()).map(|index| index.size_bytes).sum();
    let invalid = list.indexes.iter().filter(|index| index.condition == Condition::Invalid).count();
    let since = list.indexes.iter().find_map(|index| index.counted_since.as_deref());
    let since = since.map(|since| format!(", uses counted since {since}")).unwrap_or_default();
    text.push_str(&format!("{}, {}{since}\n", counted(list.indexes.len(), "index", "indexes"), bytes(size)));
    if invalid > 0 {
        let repair = format!("{invalid} INVALID: pgdeploy index repair --env {}", list.environment);
        text.push_str(&format!("{}\n", style.warning(&repair)));
    }
    text
}

/// Whether a person should look at it.
pub(crate) fn is_troubled(index: &Listed) -> bool {
    index.condition != Condition::Valid
        || index.duplicate_of.is_some()
        || bloat(index).is_some()
        || is_unused(index)
}

fn line(index: &Listed, style: Style) -> String {
    let mut words = Vec::new();
    match index.condition {
        Condition::Valid => {}
        Condition::Building => words.push(style.warning("being built")),
        Condition::Invalid if index.rejects_rows => {
            words.push(style.bad("INVALID, and it rejects duplicate rows now"));
        }
        Condition::Invalid if index.leftover => {
            words.push(style.warning("INVALID, left by REINDEX CONCURRENTLY"));
        }
        Condition::Invalid => words.push(style.warning("INVALID")),
    }
    if let Some(other) = &index.duplicate_of {
        words.push(style.warning(&format!("duplicate of {other}")));
    }
    if let Some(bloat) = bloat(index) {
        words.push(style.warning(&format!("about {} bloat", bytes(bloat))));
    }
    words.push(match (is_unused(index), &index.last_scan) {
        (true, _) => style.warning("unused"),
        (false, Some(last)) => format!("{} scans, last {last}", grouped(index.scans.unsigned_abs())),
        (false, None) => counted(usize::try_from(index.scans).unwrap_or(0), "scan", "scans"),
    });
    if let Some(constraint) = &index.constraint {
        words.push(style.faint(&format!("constraint {constraint}")));
    }
    if let Some(whole) = &index.part_of {
        words.push(style.faint(&format!("part of {whole}")));
    }
    if let Some(place) = &index.declared_at {
        words.push(style.faint(place));
    }
    format!("  {:<40}  {:>9}  {}\n", index.name, bytes(index.size_bytes), words.join(", "))
}

/// Bytes, where they are worth a word.
fn bloat(index: &Listed) -> Option<i64> {
    let (least, share) = BLOAT;
    index.bloat_bytes.filter(|bloat| *bloat >= least && *bloat as f64 >= share * index.size_bytes as f64)
}

/// A constraint's index works without being read.
fn is_unused(index: &Listed) -> bool {
    index.scans == 0 && index.constraint.is_none() && !index.unique && index.condition == Condition::Valid
}

fn shown(index: &Listed, name: &str) -> String {
    if index.schema == "public" { name.to_owned() } else { format!("{}.{name}", index.schema) }
}
