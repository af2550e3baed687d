//! The files of `backfills/`: what each one asks for.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use sql::{Numbered, Problem, Source};

use crate::header::{Header, Mode, Priority, at_key};
use crate::order;
use crate::statement::{self, Kind};

/// One backfill: a plain statement and what surrounds it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// File name without ending, such as `0007_last_call_direction`.
    pub id: String,
    /// The leading number of the file name.
    pub version: u64,
    /// The file.
    pub source: Source,
    /// What is done with a row.
    pub kind: Kind,
    /// The schema of the table whose rows are walked, where the statement names it.
    pub schema: Option<String>,
    /// The table whose rows are walked.
    pub table: String,
    /// The name the statement knows the table by.
    pub alias: String,
    /// The text of the condition that makes a row one of those to work on.
    pub predicate: String,
    /// What the header says.
    pub(crate) header: Header,
    /// Columns that the statement assigns to.
    pub assigned: Vec<String>,
    /// SHA-256 over the statement's tokens and what else decides on the rows: the identity of the work.
    pub def_sha256: String,
    /// The statement's bytes in the source.
    pub(crate) span: std::ops::Range<usize>,
}

/// All backfills of a release, in the order they will be worked on.
#[derive(Debug, Clone, Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Definitions that require a migration which is none of these.
    pub fn without_migration(&self, known: &[&str]) -> Vec<Problem> {
        let missing = self.0.iter().flat_map(|definition| {
            let required = definition.header.requires_migration.iter();
            required.filter(|id| !known.contains(&id.as_str())).map(move |id| (definition, id))
        });
        missing
            .map(|(definition, id)| {
                let message = format!("requires the migration {id}, and there is none");
                at_key(&definition.source, "requires_migration", "E259", message)
                    .help("write a file's name without its ending, such as 0101_leads")
            })
            .collect()
    }

    /// In the order they will be worked on.
    pub fn items(&self) -> &[Definition] {
        &self.0
    }
}

impl Definition {
    /// The column whose values are tenants.
    pub fn tenant(&self) -> Option<&str> {
        self.header.tenant.as_deref()
    }

    /// Its place among the others.
    pub fn priority(&self) -> Priority {
        self.header.priority
    }

    /// Whether the ledger alone tells which rows are done.
    pub(crate) fn is_once(&self) -> bool {
        self.header.mode == Mode::Once
    }

    /// The table as the statement names it.
    pub fn shown_table(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.table),
            None => self.table.clone(),
        }
    }

    /// A problem with the statement as a whole.
    pub(crate) fn problem(&self, code: &'static str, message: impl Into<String>) -> Problem {
        let first_line = self.source.text[self.span.clone()].lines().next().map_or(0, str::len);
        Problem::at(code, &self.source, self.span.start..self.span.start + first_line, message)
    }
}

/// Reads the files; everything that the text alone tells to be wrong is told at once.
pub fn load(sources: &[Source]) -> Result<Definitions, Vec<Problem>> {
    let (mut definitions, mut problems) = (Vec::new(), Vec::new());
    let mut versions: HashMap<u64, &Path> = HashMap::new();
    for source in sources {
        match Numbered::of(source) {
            Ok(number) => match versions.get(&number.version) {
                Some(first) => problems.push(
                    Problem::with_file(
                        "E241",
                        &source.path,
                        format!("has the same number as {}", first.display()),
                    )
                    .help("give it the next free number"),
                ),
                None => {
                    versions.insert(number.version, &source.path);
                    match define(source, number.version) {
                        Ok(definition) => definitions.push(definition),
                        Err(problem) => problems.push(problem),
                    }
                }
            },
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    order::of(definitions).map(Definitions)
}

fn define(source: &Source, version: u64) -> Result<Definition, Problem> {
    let header = Header::of(source)?;
    let shape = statement::shape(source, header.mode)?;
    let tokens = source.token_sha256().unwrap_or_else(|| source.sha256.clone());
    // What decides on the rows; how fast and in which order may change in mid-run.
    let mut identity = format!("{tokens}\0tenant={}", header.tenant.as_deref().unwrap_or(""));
    if header.mode == Mode::Once {
        identity.push_str("\0mode=once");
    }
    if !header.key.is_empty() {
        identity.push_str(&format!("\0key={}", header.key.join(",")));
    }
    let def_sha256 = Sha256::digest(identity).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Definition {
        id: source.stem().to_owned(),
        version,
        source: source.clone(),
        kind: shape.kind,
        schema: shape.schema,
        table: shape.table,
        alias: shape.alias,
        predicate: shape.predicate,
        header,
        assigned: shape.assigned,
        def_sha256,
        span: shape.span,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(name, text)| {
                Source::from_bytes(&Path::new("backfills").join(name), text.as_bytes().to_vec()).unwrap()
            })
            .collect();
        match load(&sources) {
            Ok(definitions) => definitions.items().iter().map(|each| each.id.clone()).collect(),
            Err(problems) => problems.iter().map(|problem| problem.code.to_owned()).collect(),
        }
    }

    const PLAIN: &str = "UPDATE t SET a = 1 WHERE a IS NULL";

    #[test]
    fn all_files_with_problems_are_told_at_once() {
        let files = [("x.sql", PLAIN), ("1_a.sql", PLAIN), ("001_b.sql", PLAIN), ("2_c.sql", "select 1")];
        assert_eq!(codes(&files), ["E214", "E241", "E245"]);
    }

    #[test]
    fn priority_comes_before_the_number() {
        let high = format!("-- pgdeploy:\n--   priority: high\n--   tenant: tenant_id\n{PLAIN}");
        assert_eq!(codes(&[("1_a.sql", PLAIN), ("2_b.sql", &high)]), ["2_b", "1_a"]);
    }

    #[test]
    fn header_keys_are_known_not_yet_known_or_refused() {
        for (header, code) in [
            ("table: t", "E216"),
            ("colour: red", "E215"),
            ("tenant: a.b c", "E242"),
            ("priority: urgent", "E215"),
        ] {
            assert_eq!(
                codes(&[("1_a.sql", &format!("-- pgdeploy:\n--   {header}\n{PLAIN}"))]),
                [code],
                "{header}"
            );
        }
    }

    #[test]
    fn comments_and_blanks_do_not_make_another_definition() {
        let hash = |text: &str| {
            define(&Source::from_bytes(Path::new("1_a.sql"), text.into()).unwrap(), 1).unwrap().def_sha256
        };
        assert_eq!(hash(PLAIN), hash("-- why\nUPDATE t\n  SET a = 1 /* x */ WHERE a IS NULL\n"));
        assert_ne!(hash(PLAIN), hash("UPDATE t SET a = 2 WHERE a IS NULL"));
    }
}
