//! Flyway: `V1.1__name.sql`, repeatable `R__name.sql`, undo `U1.1__name.sql`, baseline `B1.1__name.sql`.

use std::collections::BTreeMap;
use std::path::Path;

use sql::{Problem, Source};

use crate::body::{Body, Ran};
use crate::checksum;
use crate::pair::twice_of;
use crate::script::{Project, Script, Version};
use crate::tree::{self, File, Tree};

const FOLDERS: [&str; 7] = [
    "src/main/resources/db/migration",
    "db/migration",
    "migrations",
    "sql",
    "flyway/sql",
    "src/main/resources/db/migrations",
    "",
];

/// The name of a file, taken apart.
struct Name<'n> {
    kind: char,
    /// The numbers of the version; empty for a repeatable one.
    version: Vec<u64>,
    description: &'n str,
}

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let folder = tree.folder(&FOLDERS, |name| parts(name).is_some());
    let folder = folder.ok_or_else(|| vec![tree.nothing("migrations of Flyway (V1__name.sql)", &FOLDERS)])?;
    let (mut versioned, mut repeatable) =
        (BTreeMap::<Vec<u64>, Script>::new(), BTreeMap::<String, Script>::new());
    let (mut baselines, mut undo) = (Vec::new(), BTreeMap::new());
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    for path in tree.below(&folder) {
        let file_name = tree::name(path);
        let Some(name) = parts(file_name) else {
            if file_name.ends_with(".sql") {
                notes.push(format!(
                    "{} is no migration (a callback?): Flyway's callbacks are not carried over",
                    path.display()
                ));
            }
            continue;
        };
        if !file_name.ends_with(".sql") {
            problems.push(crate::tool::code(path, "Java"));
            continue;
        }
        let file = match tree.read(path) {
            Ok(file) => file,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match (script(tree, path, &name, &file), name.kind) {
            (Err(found), _) => problems.extend(found),
            (Ok(script), 'U') => drop(undo.insert(name.version, script.up)),
            (Ok(script), 'B') => baselines.push((name.version, script)),
            (Ok(script), 'R') => match repeatable.get(&script.id) {
                Some(other) => problems.push(twice_of(path, &other.path)),
                None => drop(repeatable.insert(script.id.clone(), script)),
            },
            (Ok(script), _) => match versioned.get(&name.version) {
                Some(other) => problems.push(twice_of(path, &other.path)),
                None => drop(versioned.insert(name.version, script)),
            },
        }
    }
    for (version, baseline) in baselines {
        // The scripts it stands for are better, where they are still there.
        if versioned.keys().any(|each| *each <= version) {
            notes.push(format!(
                "{} is left out: the migrations it stands for are here",
                baseline.path.display()
            ));
        } else {
            versioned.insert(version, baseline);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Some(first) = repeatable.values().next() {
        notes.push(format!(
            "repeatable migrations such as {} run once from now on: change one by a new migration",
            first.path.display()
        ));
    }
    let versioned = versioned.into_iter().map(|(version, script)| Script {
        down: undo.remove(&version).filter(|undo| !undo.is_empty()),
        version: one_number(&version).map(Version::padded),
        ..script
    });
    Ok(Project { scripts: versioned.chain(repeatable.into_values()).collect(), notes })
}

fn one_number(version: &[u64]) -> Option<u64> {
    <[u64; 1]>::try_from(version).ok().map(|[number]| number)
}

fn parts(file: &str) -> Option<Name<'_>> {
    let stem = file.strip_suffix(".sql").or_else(|| file.strip_suffix(".java"))?;
    let kind = stem.chars().next().filter(|kind| "VURB".contains(*kind))?;
    let (version, description) = stem[1..].split_once("__")?;
    let version = if kind == 'R' { version.is_empty().then(Vec::new)? } else { numbers(version)? };
    Some(Name { kind, version, description })
}

/// `1.10`, `1_10` and `1.10.0` are one version; 1.10 comes after 1.9.
pub(crate) fn numbers(version: &str) -> Option<Vec<u64>> {
    let numbers = version.split(['.', '_']).map(|part| part.parse::<u64>().ok());
    let mut numbers = numbers.collect::<Option<Vec<u64>>>()?;
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// How a version is told apart in the manifest and in the history.
pub(crate) fn id(version: &[u64]) -> String {
    version.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

fn script(tree: &Tree, path: &Path, name: &Name<'_>, file: &File) -> Result<Script, Vec<Problem>> {
    let mut problems: Vec<Problem> = placeholder(&file.source).into_iter().collect();
    let conf = path.with_file_name(format!("{}.conf", tree::name(path)));
    let conf = tree.has(&conf).then(|| tree.read(&conf)).transpose().map_err(|problem| vec![problem])?;
    let bare = conf.is_some_and(|conf| {
        conf.raw.lines().any(|line| line.replace(' ', "").eq_ignore_ascii_case("executeInTransaction=false"))
    });
    // Without being told to, Flyway runs bare what cannot run in a transaction.
    let ran = if bare { Ran::Bare } else { Ran::InTransaction };
    let body = Body::of(&file.source, ran).map_err(|found| problems.extend(found)).ok();
    let Some(body) = body.filter(|_| problems.is_empty()) else { return Err(problems) };
    let id = if name.kind == 'R' { format!("R__{}", name.description) } else { id(&name.version) };
    Ok(Script {
        checksums: vec![checksum::flyway(&file.raw)],
        repeatable: name.kind == 'R',
        ..Script::new(id, name.description, path.into(), body)
    })
}

/// Flyway fills `${name}` in; what with is not in the file.
fn placeholder(source: &Source) -> Option<Problem> {
    let start = source.text.match_indices("${").map(|(at, _)| at).find(|at| {
        let rest = &source.text[at + 2..];
        let end = rest.find('}').unwrap_or(0);
        end > 0 && rest[..end].chars().all(|c| c.is_alphanumeric() || "_.:-".contains(c))
    })?;
    let end = start + source.text[start..].find('}').unwrap_or(0) + 1;
    let message = format!("has the placeholder {}", &source.text[start..end]);
    Some(
        Problem::at("E702", source, start..end, message)
            .help("write the value into a copy of the file, and name the copy's folder with --source"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_with_dots_and_not_text() {
        assert!(numbers("1.10") > numbers("1.9") && numbers("2") < numbers("10"));
        assert_eq!(numbers("1_10.0"), numbers("01.10"));
        assert_eq!(parts("R__views.sql").map(|name| (name.kind, name.description)), Some(('R', "views")));
        assert!(
            parts("afterMigrate.sql").is_none()
                && parts("V1_name.sql").is_none()
                && parts("Vx__a.sql").is_none()
        );
    }
}
