//! The order of the files: by version, and no file before one that it requires.

use std::collections::{BTreeMap, BTreeSet};

use sql::Problem;

use crate::header::Phase;
use crate::migration::Migration;

/// Puts the files into the order in which they run, or says what makes that impossible. Among those whose requirements
/// are met, the lowest version is next.
pub(crate) fn order(files: &mut [Migration]) -> Result<(), Vec<Problem>> {
    files.sort_by(|a, b| (a.version, &a.source.path).cmp(&(b.version, &b.source.path)));
    if files.iter().all(|file| file.header.requires.is_empty()) {
        files.iter_mut().enumerate().for_each(|(place, file)| file.place = place);
        return Ok(());
    }
    let mut problems = Vec::new();
    let needs: Vec<BTreeSet<usize>> = files.iter().map(|file| required(file, files, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (file, needed) in needs.iter().enumerate() {
        for other in needed {
            dependents.entry(*other).or_default().push(file);
        }
    }
    let mut open: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut ready: BTreeSet<usize> = (0..files.len()).filter(|file| open[*file] == 0).collect();
    let mut order = Vec::new();
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for dependent in dependents.get(&next).into_iter().flatten() {
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    if order.len() < files.len() {
        return Err(vec![cycle(files, &needs, &order)]);
    }
    order.into_iter().enumerate().for_each(|(place, file)| files[file].place = place);
    files.sort_by_key(|file| file.place);
    Ok(())
}

/// The places of what a file requires.
fn required(file: &Migration, files: &[Migration], problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for name in &file.header.requires {
        match files.iter().position(|other| other.id() == name) {
            Some(other) if file.header.phase == Phase::Pre && files[other].header.phase == Phase::Post => {
                let message = format!("requires {name}, which runs after it: that one has `phase: post`");
                problems.push(
                    Problem::with_file("E118", &file.source.path, message)
                        .help("give this one `phase: post` too, or take it from the other"),
                );
            }
            Some(other) => {
                found.insert(other);
            }
            None => {
                let message = format!("requires {name}, and there is no such migration");
                let help = "write the file's name without its ending, such as 0007_create_leads";
                problems.push(Problem::with_file("E118", &file.source.path, message).help(help));
            }
        }
    }
    found
}

/// Follows requirements from a file that never became ready until one comes twice.
fn cycle(files: &[Migration], needs: &[BTreeSet<usize>], done: &[usize]) -> Problem {
    let stuck = |file: &usize| !done.contains(file);
    let mut path: Vec<usize> = (0..files.len()).find(|file| stuck(file)).into_iter().collect();
    while let Some(next) = path.last().and_then(|last| needs[*last].iter().copied().find(|need| stuck(need)))
    {
        if let Some(start) = path.iter().position(|seen| *seen == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    let names: Vec<&str> = path.iter().chain(path.first()).map(|file| files[*file].id()).collect();
    let first = path.first().map_or(&files[0], |file| &files[*file]);
    let message = format!("can never run: migrations require each other: {}", names.join(" -> "));
    Problem::with_file("E119", &first.source.path, message).help("take one `requires` out of the circle")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sql::Source;

    use crate::migration::{Migration, load};

    fn file(name: &str, requires: &str) -> Source {
        let text = format!("-- pgdeploy:\n--   requires: [{requires}]\nselect 1");
        Source::from_bytes(Path::new(name), text.into()).unwrap()
    }

    #[test]
    fn a_file_runs_after_what_it_requires_and_else_by_version() {
        let files =
            vec![file("1_a.sql", "3_c"), file("2_b.sql", ""), file("3_c.sql", ""), file("10_d.sql", "2_b")];
        let ordered = load(files, Vec::new()).unwrap().0;
        assert_eq!(ordered.iter().map(Migration::id).collect::<Vec<_>>(), ["2_b", "3_c", "1_a", "10_d"]);
    }

    #[test]
    fn a_circle_is_shown_whole() {
        let files = vec![
            file("1_a.sql", "3_c"),
            file("2_b.sql", "1_a"),
            file("3_c.sql", "2_b"),
            file("4_d.sql", "1_a"),
        ];
        let problems = load(files, Vec::new()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.ends_with("1_a -> 3_c -> 2_b -> 1_a"), "{}", problems[0].message);
    }

    #[test]
    fn what_is_required_has_to_exist() {
        let problems =
            load(vec![file("1_a.sql", "0_nothing"), file("2_b.sql", "x")], Vec::new()).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E118", "E118"]);
    }
}
