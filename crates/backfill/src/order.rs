//! The order of work: by priority and number, and each after those that it requires.

use std::collections::HashSet;

use sql::Problem;

use crate::definition::Definition;
use crate::header::at_key;

/// Sorts the definitions. What is required and is not there, and what requires itself in the end, is refused.
pub(crate) fn of(mut definitions: Vec<Definition>) -> Result<Vec<Definition>, Vec<Problem>> {
    definitions.sort_by_key(|definition| (definition.header.priority, definition.version));
    let known: HashSet<String> = definitions.iter().map(|definition| definition.id.clone()).collect();
    let mut problems = Vec::new();
    for definition in &definitions {
        for required in definition.header.requires.iter().filter(|required| !known.contains(*required)) {
            let message = format!("requires {required}, and there is no such backfill");
            problems.push(
                at_key(&definition.source, "requires", "E259", message)
                    .help("write a file's name without its ending, such as 0007_last_call_direction"),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (mut sorted, mut rest, mut done) = (Vec::new(), definitions, HashSet::new());
    while !rest.is_empty() {
        let free = |definition: &Definition| definition.header.requires.iter().all(|one| done.contains(one));
        let Some(at) = rest.iter().position(free) else {
            let ring: Vec<&str> = rest.iter().map(|definition| definition.id.as_str()).collect();
            let message = format!("requires itself in the end: {}", ring.join(", "));
            let problem = at_key(&rest[0].source, "requires", "E259", message);
            return Err(vec![problem.help("take one of their `requires` out")]);
        };
        let next = rest.remove(at);
        done.insert(next.id.clone());
        sorted.push(next);
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sql::Source;

    fn load(files: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
        let sources: Vec<_> = files
            .iter()
            .map(|(name, header)| {
                let header =
                    if header.is_empty() { String::new() } else { format!("-- pgdeploy:\n--   {header}\n") };
                let text = format!("{header}UPDATE t SET a = 1 WHERE a IS NULL");
                Source::from_bytes(&Path::new("backfills").join(name), text.into_bytes()).unwrap()
            })
            .collect();
        match crate::definition::load(&sources) {
            Ok(definitions) => Ok(definitions.items().iter().map(|one| one.id.clone()).collect()),
            Err(problems) => Err(problems.iter().map(|one| one.message.clone()).collect()),
        }
    }

    #[test]
    fn what_is_required_comes_first_whatever_its_number() {
        let files = [("1_a.sql", "requires: [3_c]"), ("2_b.sql", ""), ("3_c.sql", "requires: 2_b")];
        assert_eq!(load(&files).unwrap(), ["2_b", "3_c", "1_a"]);
    }

    #[test]
    fn what_is_not_there_and_what_goes_in_circles_is_refused() {
        assert_eq!(
            load(&[("1_a.sql", "requires: 9_z")]).unwrap_err(),
            ["requires 9_z, and there is no such backfill"]
        );
        let files = [("1_a.sql", "requires: 2_b"), ("2_b.sql", "requires: 1_a"), ("3_c.sql", "")];
        assert_eq!(load(&files).unwrap_err(), ["requires itself in the end: 1_a, 2_b"]);
    }
}
