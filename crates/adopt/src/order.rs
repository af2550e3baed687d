//! The order and the versions of the files.

use sql::Problem;

use crate::history::{Outcome, Record};
use crate::script::{Project, Script, Version};
use crate::tool::Tool;

/// A migration at its place.
#[derive(Debug, Clone)]
pub struct Placed {
    /// What it runs.
    pub script: Script,
    /// `0042_add_email`; nothing where there is nothing to run.
    pub stem: Option<String>,
}

/// Orders the scripts as the tool does, except where a history proves another order: names without a version get the order
/// in which they were applied, and what a database has not had, though it sorts before something that it has, goes last.
/// `listed` is an order that a person gives.
pub fn order(
    tool: Tool,
    project: Project,
    records: Option<&[Record]>,
    listed: &[String],
) -> Result<Vec<Placed>, Vec<Problem>> {
    let problems = unknown(&project.scripts, listed);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut scripts = project.scripts;
    let unversioned: Vec<&Script> = scripts.iter().filter(|script| script.version.is_none()).collect();
    if !listed.is_empty() {
        scripts = by_list(scripts, listed);
    } else if tool == Tool::Prisma && !unversioned.is_empty() {
        let Some(records) = records else { return Err(unversioned.into_iter().map(without_order).collect()) };
        scripts = by_history(scripts, records);
    }
    let mut applied = scripts.len();
    if let Some(records) = records {
        (scripts, applied) = pending_last(scripts, records);
    }
    Ok(numbered(scripts, applied))
}

fn without_order(script: &Script) -> Problem {
    Problem::with_file("E703", &script.path, "has no timestamp in its name, so nothing here says when it runs").help(
        "name a database that has had it: --database URL; or give the order: --order first,second (names before those with a timestamp)",
    )
}

fn unknown(scripts: &[Script], listed: &[String]) -> Vec<Problem> {
    let unknown = listed.iter().filter(|id| scripts.iter().all(|script| script.id != **id));
    unknown
        .map(|id| Problem::with_file("E703", id.as_ref(), "is named by --order, and is no migration here"))
        .collect()
}

/// Those that are listed come in that order, each before the first that is not listed and sorts behind it; one without a
/// version sorts before all.
fn by_list(mut scripts: Vec<Script>, listed: &[String]) -> Vec<Script> {
    let mut ordered = Vec::with_capacity(scripts.len());
    for id in listed {
        let Some(at) = scripts.iter().position(|script| script.id == *id) else { continue };
        let own = scripts.remove(at);
        if let Some(version) = &own.version {
            let earlier = |script: &Script| {
                !listed.contains(&script.id)
                    && script.version.as_ref().is_some_and(|other| other.number < version.number)
            };
            let (before, rest): (Vec<_>, Vec<_>) = scripts.into_iter().partition(earlier);
            ordered.extend(before);
            scripts = rest;
        }
        ordered.push(own);
    }
    ordered.extend(scripts);
    ordered
}

/// In the order of the last attempt that counts.
fn by_history(mut scripts: Vec<Script>, records: &[Record]) -> Vec<Script> {
    let place = |script: &Script| {
        records
            .iter()
            .rposition(|record| record.id == script.id && record.outcome != Outcome::Undone)
            .unwrap_or(usize::MAX)
    };
    scripts.sort_by_key(place);
    scripts
}

/// What is not in goes behind what is: it has not been needed by any of those. Also says how many are in.
fn pending_last(scripts: Vec<Script>, records: &[Record]) -> (Vec<Script>, usize) {
    let known = |id: &String| {
        let last = records.iter().rfind(|record| record.id == *id);
        last.is_some_and(|record| record.outcome != Outcome::Undone)
    };
    let is_in = |script: &Script| known(&script.id) || script.replaces.iter().any(known);
    let (mut ordered, pending): (Vec<_>, Vec<_>) = scripts.into_iter().partition(is_in);
    let applied = ordered.len();
    ordered.extend(pending);
    (ordered, applied)
}

/// The tool's own numbers are kept where they increase; behind the first `applied`, one that comes late gets the next
/// number. Where there are none, or in another order, all are counted from 1.
fn numbered(scripts: Vec<Script>, applied: usize) -> Vec<Placed> {
    let width = scripts.len().to_string().len().max(4);
    let kept = kept(&scripts, applied);
    let mut counted = 0;
    let placed = scripts.into_iter().enumerate().map(|(at, script)| {
        if script.up.is_empty() {
            return Placed { script, stem: None };
        }
        counted += 1;
        let written = kept.as_ref().map_or_else(|| format!("{counted:0width$}"), |kept| kept[at].clone());
        let stem = format!("{written}_{}", slug(&script.name));
        Placed { script, stem: Some(stem) }
    });
    placed.collect()
}

fn kept(scripts: &[Script], applied: usize) -> Option<Vec<String>> {
    let mut newest = None::<u64>;
    let mut kept = Vec::with_capacity(scripts.len());
    for (at, script) in scripts.iter().enumerate() {
        let Version { number, written } = script.version.as_ref()?;
        let (number, written) = match newest {
            Some(newest) if newest >= *number && at < applied => return None,
            Some(newest) if newest >= *number => {
                (newest + 1, format!("{:0width$}", newest + 1, width = written.len()))
            }
            _ => (*number, written.clone()),
        };
        kept.push(written);
        newest = Some(number);
    }
    Some(kept)
}

/// Letters, digits, `_` and `-`, and not too many of them.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().take(100) {
        match c.is_alphanumeric() || c == '-' {
            true => slug.push(c),
            false if !slug.ends_with('_') => slug.push('_'),
            false => {}
        }
    }
    let slug = slug.trim_matches(['_', '-']);
    if slug.is_empty() { "migration".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;

    fn scripts(names: &[&str]) -> Project {
        let script = |name: &&str| {
            let body = Body { text: "select 1;\n".into(), transaction: true };
            let version = Version::leading(name).map(|(version, _)| version);
            let about = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
            Script::new(*name, about, name.into(), body).numbered(version)
        };
        Project { scripts: names.iter().map(script).collect(), notes: Vec::new() }
    }

    fn stems(placed: &[Placed]) -> Vec<&str> {
        placed.iter().filter_map(|placed| placed.stem.as_deref()).collect()
    }

    fn applied(ids: &[&str]) -> Vec<Record> {
        ids.iter().map(|id| Record::of(*id)).collect()
    }

    #[test]
    fn own_numbers_are_kept_and_a_gap_goes_last() {
        let all = scripts(&["20240101_a", "20240102_b", "20240103_c"]);
        let placed = order(Tool::Sqlx, all.clone(), None, &[]).unwrap();
        assert_eq!(stems(&placed), ["20240101_a", "20240102_b", "20240103_c"]);
        let gap = applied(&["20240101_a", "20240103_c"]);
        let placed = order(Tool::Sqlx, all, Some(&gap), &[]).unwrap();
        assert_eq!(stems(&placed), ["20240101_a", "20240103_c", "20240104_b"]);
        let tight = order(
            Tool::Sqlx,
            scripts(&["01_a", "02_b", "03_c", "04_d"]),
            Some(&applied(&["01_a", "03_c"])),
            &[],
        );
        assert_eq!(stems(&tight.unwrap()), ["01_a", "03_c", "04_b", "05_d"]);
    }

    #[test]
    fn names_without_a_timestamp_need_a_proof_or_a_list() {
        let all = scripts(&["2025_a", "2026_b", "add_role", "add_user"]);
        let refused = order(Tool::Prisma, all.clone(), None, &[]).unwrap_err();
        assert_eq!(refused.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E703", "E703"]);
        let proof = applied(&["add_user", "2025_a", "add_role"]);
        let placed = order(Tool::Prisma, all.clone(), Some(&proof), &[]).unwrap();
        assert_eq!(stems(&placed), ["0001_add_user", "0002_a", "0003_add_role", "0004_b"]);
        let list = ["add_user", "2026_b", "add_role"].map(str::to_owned);
        let placed = order(Tool::Prisma, all.clone(), None, &list).unwrap();
        assert_eq!(stems(&placed), ["0001_add_user", "0002_a", "0003_b", "0004_add_role"]);
        assert_eq!(order(Tool::Prisma, all, None, &["nothing".into()]).unwrap_err().len(), 1);
    }

    #[test]
    fn weird_names_become_names_of_files() {
        assert_eq!(slug("add \"stage\": what's won & lost"), "add_stage_what_s_won_lost");
        assert_eq!((slug("ünïcode-x").as_str(), slug("../..").as_str()), ("ünïcode-x", "migration"));
    }
}
