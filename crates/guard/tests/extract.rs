//! Rows and indexes move out of a migration; what cannot move stays, with the reason.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use pgdeploy_guard::{Extraction, Judge, Knowledge, Piece, Source};

fn extract(text: &str) -> Option<Extraction> {
    let source = Source::from_bytes(Path::new("migrations/7_x.sql"), text.into()).unwrap();
    Judge::new(Knowledge::default()).extract(&source, &|_: &Piece| None).unwrap()
}

fn pieces(text: &str) -> Vec<(String, String)> {
    let pieces = extract(text).unwrap().pieces;
    pieces.into_iter().map(|piece| (piece.name, piece.text)).collect()
}

fn kept(text: &str) -> Vec<String> {
    extract(text).unwrap().kept.into_iter().map(|(_, why)| why).collect()
}

#[test]
fn a_mixed_migration_is_split_and_its_comments_go_with_their_statements() {
    let text = "-- The domain of an address.\nALTER TABLE leads ADD domain text;\n\n-- For old leads.\nUPDATE leads SET domain = split_part(email, '@', 2); -- all of them\n\n-- For the search.\nCREATE INDEX ON leads (domain);\nCREATE TABLE t (a int);\n";
    let found = extract(text).unwrap();
    assert_eq!(
        found.rest.as_deref(),
        Some("-- The domain of an address.\nALTER TABLE leads ADD domain text;\n\nCREATE TABLE t (a int);\n")
    );
    let pieces: Vec<_> =
        found.pieces.iter().map(|piece| (piece.name.as_str(), piece.text.as_str())).collect();
    assert_eq!(
        pieces,
        [
            (
                "leads_domain",
                "-- For old leads.\nUPDATE leads SET domain = split_part(email, '@', 2)\n WHERE leads.domain IS NULL;\n"
            ),
            ("leads", "-- For the search.\nCREATE INDEX leads_domain_idx ON leads USING btree (domain);\n")
        ]
    );
    assert!(found.kept.is_empty());
}

#[test]
fn an_update_without_where_gets_one_that_ends_or_stays() {
    assert_eq!(
        pieces("update leads l set a = 1, b = lower(c)")[0].1,
        "update leads l set a = 1, b = lower(c)\n WHERE l.a IS DISTINCT FROM (1) OR l.b IS DISTINCT FROM (lower(c));\n"
    );
    for text in
        ["update leads set n = n + 1", "update leads set at = now()", "update leads set at = current_date"]
    {
        assert!(kept(text)[0].contains("again each time"), "{text}");
    }
    assert!(kept("delete from leads")[0].contains("without WHERE"));
    assert!(kept("do $$ begin delete from leads where a; end $$")[0].contains("inside a DO block"));
    assert!(kept("with d as (delete from a where b returning 1) select 1 from d")[0].contains("hidden in"));
}

#[test]
fn what_a_later_statement_takes_away_is_not_moved_and_what_it_needs_is_said() {
    let dropped = "update leads set a = b where a is null; alter table leads drop column b";
    assert!(kept(dropped)[0].contains("later release first"));
    let filled = "update leads set a = 'x' where a is null; alter table leads alter a set not null";
    let found = extract(filled).unwrap();
    assert_eq!(found.pieces.len(), 1);
    assert!(found.kept[0].1.contains("needs the rows"), "{:?}", found.kept);
}

#[test]
fn accepted_findings_and_clean_files_are_left_alone_and_an_emptied_file_goes() {
    assert_eq!(extract("create table t (a int); create index on t (a); insert into t values (1)"), None);
    assert_eq!(extract("-- pgdeploy:allow dml-delete: one row\ndelete from t where id = 1"), None);
    assert_eq!(extract("delete from t where id = 1;\n").unwrap().rest, None);
    let refused = Source::from_bytes(Path::new("1.sql"), "delete from t where a".into()).unwrap();
    let found = Judge::new(Knowledge::default())
        .extract(&refused, &|_: &Piece| Some("no key".into()))
        .unwrap()
        .unwrap();
    assert_eq!((found.pieces.len(), found.kept[0].1.as_str()), (0, "no key"));
}

#[test]
fn a_comment_below_does_not_become_the_header() {
    let text = "create index on leads (a);\n-- pgdeploy:\n--   allow: [drop-column]\n--   reason: x\nalter table calls drop column b;\n";
    let found = extract(text).unwrap();
    assert_eq!((found.pieces.len(), found.rest.as_deref()), (0, Some(text)));
    assert!(found.kept.iter().any(|(_, why)| why.contains("another header")));
}
