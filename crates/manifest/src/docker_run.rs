//! The `docker run` of a deploy in a CI system, with what it needs of files.

use crate::facts::{Facts, Role, Value, inside};
use crate::quote::{shell, within_quotes};

/// How one CI system differs from another.
pub(crate) struct System<'a> {
    /// The folder of the checkout, as its shell writes it.
    pub(crate) checkout: &'a str,
    /// The folder that holds the files of secrets while the deploy runs.
    pub(crate) secrets: &'a str,
    /// The image, as one word of its shell.
    pub(crate) image: &'a str,
    /// More options of `docker run`.
    pub(crate) options: &'a str,
    /// The variable with who asked for the run.
    pub(crate) actor: &'a str,
}

impl System<'_> {
    /// The command, a line for each kind of option.
    pub(crate) fn deploy(&self, facts: &Facts) -> String {
        let names: String =
            facts.variables(Role::Deploy).map(|one| format!("-e {} ", shell(&one.name))).collect();
        let mut text =
            format!("docker run --rm --read-only{} \\\n  {names}-e {} \\\n", self.options, self.actor);
        for one in &facts.secrets {
            self.mount(&mut text, &format!("{}/{}", self.secrets, one.key), &inside(&one.path), true);
        }
        for path in &facts.receipts {
            self.mount(&mut text, &self.host(path), &inside(path), true);
        }
        if let Some(folder) = facts.written(Role::Deploy) {
            self.mount(&mut text, &self.host(folder), &inside(folder), false);
        }
        text + &format!("  {} deploy --env {}\n", self.image, shell(&facts.environment))
    }

    /// Writes the files of secrets, each from the variable that holds it.
    pub(crate) fn secret_files(&self, facts: &Facts) -> String {
        let write = |one: &crate::facts::SecretFile| {
            format!("printf '%s' \"${}\" > \"{}/{}\"\n", one.variable(facts), self.secrets, one.key)
        };
        facts.secrets.iter().map(write).collect()
    }

    /// Where a path of the pipeline is on the machine that runs the deploy; in double quotes.
    pub(crate) fn host(&self, path: &str) -> String {
        let path = within_quotes(path);
        if path.starts_with('/') { path } else { format!("{}/{path}", self.checkout) }
    }

    fn mount(&self, text: &mut String, source: &str, target: &str, read_only: bool) {
        let target = field(&format!("target={}", within_quotes(target)));
        let source = field(&format!("source={source}"));
        let end = if read_only { ",readonly" } else { "" };
        text.push_str(&format!("  --mount \"type=bind,{source},{target}{end}\" \\\n"));
    }
}

/// What `check` needs to find the release's folders.
pub(crate) fn decided(facts: &Facts) -> String {
    let flag = |name: &str, value: &str| format!(" -e {}", shell(&format!("{name}={value}")));
    let decided = facts.variables(Role::Other).filter_map(|one| match &one.value {
        Value::Decided(value) => Some(flag(&one.name, value)),
        _ => None,
    });
    decided.collect()
}

/// A field of `--mount`, which is a line of CSV, within double quotes of a shell.
fn field(text: &str) -> String {
    if !text.contains([',', '"']) {
        return text.to_owned();
    }
    // Quotes are escaped for the shell already: each is doubled for CSV.
    format!("\\\"{}\\\"", text.replace("\\\"", "\\\"\\\""))
}

/// Lines as the content of a block scalar.
pub(crate) fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") })
        .collect()
}
