//! A fleet's databases in a file of their own: a line each, `name url`, or `name: url` as in YAML.

use std::io::Read;
use std::path::Path;

use secrecy::SecretString;

use crate::at::At;
use crate::code;
use crate::database::wrong_with;
use crate::fleet::{FleetTarget, is_target_name};
use crate::reading::Reading;
use crate::reference::Template;

/// Room for tens of thousands of databases.
const MAX_BYTES: u64 = 8 << 20;

impl Reading<'_> {
    /// Every database of the file; without variables it is not looked at.
    pub(crate) fn fleet_file(&mut self, written: &At<String>, base: &Path) -> Option<Vec<FleetTarget>> {
        let path = base.join(self.resolve(written)?);
        let variables = match self.variables {
            Some(variables) => variables,
            None => return Some(Vec::new()),
        };
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                self.refuse(
                    code::BAD_FLEET_FILE,
                    written.span(),
                    message,
                    "a line for each database: name url",
                );
                return None;
            }
        };
        let (mut all, mut names, mut complete) = (Vec::new(), std::collections::HashSet::new(), true);
        for (nth, line) in text.lines().enumerate() {
            match one(line, variables) {
                Ok(None) => {}
                Ok(Some(target)) if !names.insert(target.name.clone()) => {
                    self.bad_line(written, &path, nth, &format!("`{}` is there twice", target.name));
                    complete = false;
                }
                Ok(Some(target)) => all.push(target),
                Err(wrong) => {
                    self.bad_line(written, &path, nth, &wrong);
                    complete = false;
                }
            }
        }
        if all.is_empty() && complete {
            let message = format!("{} names no database", path.display());
            self.refuse(code::NO_FLEET, written.span(), message, "a line for each: name url");
            return None;
        }
        for target in &all {
            use secrecy::ExposeSecret;
            self.secrets.add(target.url.expose_secret());
        }
        complete.then_some(all)
    }

    fn bad_line(&mut self, written: &At<String>, path: &Path, nth: usize, wrong: &str) {
        let message = format!("{}:{}: {wrong}", path.display(), nth + 1);
        self.refuse(code::BAD_FLEET_FILE, written.span(), message, "a line is: name url, or name: url");
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES { Err(std::io::Error::other("larger than 8 MiB")) } else { Ok(text) }
}

/// A line; `None` for one that says nothing. What is wrong never quotes the URL.
fn one(line: &str, variables: crate::reading::Variables<'_>) -> Result<Option<FleetTarget>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || line == "---" {
        return Ok(None);
    }
    let (name, rest) = line.split_once(char::is_whitespace).ok_or("there is a name and no URL")?;
    let name = name.strip_suffix(':').unwrap_or(name);
    if !is_target_name(name) {
        return Err("this does not begin with a name of letters, digits, `_`, `.`, `:` and `-`".into());
    }
    let rest = rest.trim();
    let rest = rest.split_once(" #").map_or(rest, |(url, _)| url.trim_end());
    let url =
        ['"', '\''].iter().find_map(|quote| rest.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(rest);
    let template = Template::parse(url).map_err(|(_, wrong)| wrong.to_owned())?;
    let url = template.resolve(variables).map_err(|missing| {
        let names: Vec<String> = missing.iter().map(|one| format!("`{}`", one.name)).collect();
        format!("{} not set", names.join(", ") + if names.len() == 1 { " is" } else { " are" })
    })?;
    match wrong_with(&url) {
        Some(wrong) => Err(format!("the URL of `{name}` {wrong}")),
        None => Ok(Some(FleetTarget { name: name.to_owned(), url: SecretString::from(url) })),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(line: &str) -> Result<Option<(String, String)>, String> {
        let variables = |name: &str| (name == "PW").then(|| "canary".to_owned());
        Ok(one(line, &variables)?.map(|target| (target.name, target.url.expose_secret().to_owned())))
    }

    #[test]
    fn a_line_is_a_name_and_a_url_in_either_form() {
        let target = Ok(Some(("db-1".to_owned(), "postgres://u:canary@h/d".to_owned())));
        assert_eq!(read("db-1 postgres://u:${PW}@h/d"), target);
        assert_eq!(read("  db-1: \"postgres://u:${PW}@h/d\" # the first"), target);
        assert_eq!(read("# db-1 postgres://h/d"), Ok(None));
        assert_eq!(read(""), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for line in [
            "db-1",
            "db/1 postgres://h/d",
            "db-1 mysql://u:canary@h/d",
            "db-1 postgres://canary h",
            "db-1 ${NO}",
            "db-1 postgres://canary${",
        ] {
            let wrong = read(line).unwrap_err();
            assert!(!wrong.contains("canary"), "{wrong}");
        }
        assert_eq!(read("db-1 ${NO}"), Err("`NO` is not set".into()));
    }
}
