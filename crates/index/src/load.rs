//! Files to declarations: everything that the text alone shows to be wrong is found here, before anything runs.

use std::sync::Arc;

use sql::ast::ObjectType;
use sql::{NodeEnum, Problem, Source, Statement};

use crate::contradiction::contradictions;
use crate::declaration::{Declaration, Declarations, Tombstone};
use crate::head;
use crate::header::Header;
use crate::statement::{at, declared, tombstone};

enum Wish {
    Index(Declaration),
    Tombstone(Tombstone),
}

/// Reads the declarations of all files. Every problem of every file is returned at once.
pub fn load(sources: &[Source]) -> Result<Declarations, Vec<Problem>> {
    let (mut declarations, mut problems) = (Declarations::default(), Vec::new());
    for source in sources {
        let header = Header::of(source).unwrap_or_else(|problem| {
            problems.push(problem);
            Header::default()
        });
        let source = Arc::new(source.clone());
        match sql::parse(&source, |statements| file(&source, &header, &statements)) {
            Ok(found) => {
                for wish in found {
                    match wish {
                        Ok(Wish::Index(index)) => declarations.indexes.push(index),
                        Ok(Wish::Tombstone(tombstone)) => declarations.tombstones.push(tombstone),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(contradictions(&declarations));
    if problems.is_empty() { Ok(declarations) } else { Err(problems) }
}

fn file(source: &Arc<Source>, header: &Header, statements: &[Statement]) -> Vec<Result<Wish, Problem>> {
    if statements.is_empty() {
        let problem = Problem::with_file("E238", &source.path, "declares no index");
        return vec![Err(problem.help("write CREATE INDEX name ON table (..); or delete the file"))];
    }
    let wish = |statement: &Statement| match &statement.node {
        NodeEnum::IndexStmt(index) => declared(source, header, statement, index).map(Wish::Index),
        NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectIndex => {
            tombstone(source, statement, drop).map(Wish::Tombstone)
        }
        _ => Err(at(source, statement, "E230", "is neither CREATE INDEX nor DROP INDEX").help(
            "indexes/ holds CREATE INDEX name ON table (..); and DROP INDEX name; only: \
             everything else belongs in a migration",
        )),
    };
    let mut wishes: Vec<_> = statements.iter().map(wish).collect();
    if let Some(replaced) = &header.replaces {
        wishes.push(predecessor(source, replaced, statements).map(Wish::Tombstone));
    }
    wishes
}

/// The tombstone that `replaces` stands for.
fn predecessor(source: &Arc<Source>, replaced: &str, statements: &[Statement]) -> Result<Tombstone, Problem> {
    let [Statement { node: NodeEnum::IndexStmt(_), span, .. }] = statements else {
        return Err(Problem::with_file("E237", &source.path, "`replaces` needs a file with one index")
            .help("give the index that replaces another a file of its own"));
    };
    let drop = format!("DROP INDEX {}", replaced.trim());
    let names = head::dropped(&drop, 0)
        .filter(|names| names.last().is_some_and(|word| word.span.end == drop.len()))
        .unwrap_or_default();
    let (schema, name) = match names.as_slice() {
        [name] => (None, name),
        [schema, name] => (Some(schema.text.clone()), name),
        _ => {
            let message = format!("`replaces: {replaced}` is not the name of an index");
            return Err(Problem::with_file("E239", &source.path, message).help("write name or schema.name"));
        }
    };
    Ok(Tombstone { name: name.text.clone(), schema, source: source.clone(), span: span.clone() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::settings::OnDrift;

    fn loaded(text: &str) -> Result<Declarations, Vec<Problem>> {
        load(&[Source::from_bytes(Path::new("indexes/a.sql"), text.into()).unwrap()])
    }

    fn refused(text: &str) -> Vec<String> {
        loaded(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_declaration_keeps_its_tail_as_it_is_written() {
        let text =
            "-- why\ncreate unique index a on s.t using btree (x) /* é */ where y > 0; drop index s.b;";
        let found = loaded(text).unwrap();
        let index = &found.indexes[0];
        assert_eq!(
            (index.name.as_str(), index.schema.as_deref(), index.table.as_str()),
            ("a", Some("s"), "t")
        );
        assert_eq!(
            index.statement("\"s\".\"t\"", true).text(),
            "CREATE UNIQUE INDEX CONCURRENTLY \"a\" ON \"s\".\"t\" using btree (x) /* é */ where y > 0"
        );
        assert_eq!((found.len(), found.tombstones[0].schema.as_deref()), (2, Some("s")));
    }

    #[test]
    fn the_hash_sees_the_wish_and_not_its_spelling() {
        let hash = |text: &str| loaded(text).unwrap().indexes[0].sha256.clone();
        assert_eq!(hash("create index a on t (x)"), hash("CREATE INDEX CONCURRENTLY a -- b\n ON t(x);"));
        assert_ne!(hash("create index a on t (x)"), hash("create index a on t (y)"));
    }

    #[test]
    fn what_the_text_shows_to_be_wrong_is_refused_at_its_place_and_all_at_once() {
        let long = "a".repeat(64);
        let text = format!(
            "create index on t (x);\ncreate index {long} on t (x);\ncreate index if not exists b on t (x);\n\
             create index c on only t (x);\ncreate index d on t (x);\ncreate index d on s.t (x);\ndrop index d;\n\
             create index e_ccnew on t (x);\ndrop index f, g;\ndrop index h cascade;\nalter table t add y int;\n\
             drop index i;drop index i;\ncreate index U&\"j\" on t (x);"
        );
        let found = refused(&text);
        let expected = [
            "E231 indexes/a.sql:1:1",
            "E232 indexes/a.sql:2:14",
            "E233 indexes/a.sql:3:14",
            "E234 indexes/a.sql:4:19",
            "E236 indexes/a.sql:8:14",
            "E237 indexes/a.sql:9:1",
            "E237 indexes/a.sql:10:1",
            "E230 indexes/a.sql:11:1",
            "E239 indexes/a.sql:13:1",
            "E235 indexes/a.sql:6:1",
            "E235 indexes/a.sql:7:1",
            "E235 indexes/a.sql:12:14",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("{expected}:")), "{found} is not {expected}");
        }
        assert!(loaded(&text).unwrap_err().iter().all(|problem| problem.help.is_some()));
    }

    #[test]
    fn headers_and_empty_files_are_refused() {
        assert!(refused("-- later\n")[0].starts_with("E238"));
        assert!(refused("-- pgdeploy:\n--   requird: true\ncreate index a on t (x);")[0].starts_with("E215"));
        assert!(refused("create index a on t (x")[0].starts_with("E220"));
        for wrong in ["timeout: 5M", "timeout: 10", "timeout: 8d", "on_drift: drop", "required: perhaps"] {
            let found = refused(&format!("-- pgdeploy:\n--   {wrong}\ncreate index a on t (x);"));
            assert!(found[0].starts_with("E215 indexes/a.sql:2:"), "{wrong}: {found:?}");
        }
        let two = "-- pgdeploy:\n--   replaces: b\ncreate index a on t (x); create index c on t (y);";
        assert!(refused(two)[0].starts_with("E237"), "{:?}", refused(two));
        assert!(refused("-- pgdeploy:\n--   replaces: a b\ncreate index a on t (x);")[0].starts_with("E239"));
        assert!(refused("-- pgdeploy:\n--   replaces: a\ncreate index a on t (x);")[0].starts_with("E235"));
    }

    #[test]
    fn a_header_holds_for_every_index_of_its_file() {
        let found = loaded("-- pgdeploy:\n--   timeout: 30m\n--   required: true\n--   on_drift: replace\ncreate index a on t (x); create index b on t (x);").unwrap();
        assert!(found.indexes.iter().all(|index| index.required && index.on_drift == Some(OnDrift::Replace)));
        assert!(found.indexes.iter().all(|index| index.timeout == Some(Duration::from_secs(1800))));
        let found = loaded("-- pgdeploy:\n--   replaces: s.\"Old\"\ncreate index a on s.t (x);").unwrap();
        let old = &found.tombstones[0];
        assert_eq!((old.schema.as_deref(), old.name.as_str()), (Some("s"), "Old"));
    }

    #[test]
    fn one_name_in_two_schemas_is_two_indexes() {
        assert_eq!(loaded("create index a on s.t (x); create index a on r.t (x);").unwrap().len(), 2);
    }
}
