//! What the target's catalog says changes the verdict: proofs, sizes, absence, routines. `check` knows none of it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use pgdeploy_guard::{Catalog, ConstraintFacts, Judge, Knowledge, Name, Severity, Source, TableFacts};

const MIB: u64 = 1024 * 1024;

fn leads(bytes: u64) -> Catalog {
    let name = Name { schema: Some("public".into()), name: "leads".into() };
    let check = |definition: &str, valid| ConstraintFacts { definition: definition.into(), valid };
    let facts = TableFacts {
        estimated_rows: Some(12_000_000),
        bytes: Some(bytes),
        types: [
            ("name".into(), "character varying(20)".into()),
            ("at".into(), "timestamp without time zone".into()),
        ]
        .into(),
        constraints: [
            ("proof".into(), check("CHECK ((email IS NOT NULL))", true)),
            ("hope".into(), check("CHECK ((phone IS NOT NULL)) NOT VALID", false)),
            ("short".into(), check("CHECK ((length((code)::text) < 9))", true)),
        ]
        .into(),
        not_null: ["id".into()].into(),
        indexes: [("leads_ref_key".into(), vec!["ref".into()]), ("leads_id_key".into(), vec!["id".into()])]
            .into(),
        ..TableFacts::default()
    };
    Catalog {
        asked: ["leads", "gone", "tidy"].map(String::from).into(),
        tables: [(name, facts)].into(),
        ..Catalog::default()
    }
}

fn found(catalog: Catalog, text: &str) -> Vec<(&'static str, Severity, String)> {
    let mut judge = Judge::new(Knowledge { server_version: Some(15), ..Knowledge::default() });
    judge.read_catalog(catalog);
    let source = Source::from_bytes(Path::new("2_x.sql"), text.into()).unwrap();
    judge
        .migration(&source)
        .into_iter()
        .map(|finding| (finding.rule, finding.severity, finding.message))
        .collect()
}

fn errors(text: &str) -> Vec<&'static str> {
    let errors =
        found(leads(5_000 * MIB), text).into_iter().filter(|(_, severity, _)| *severity == Severity::Error);
    errors.map(|(rule, ..)| rule).collect()
}

#[test]
fn a_valid_check_proves_not_null_and_an_invalid_one_does_not() {
    assert!(errors("alter table leads alter column email set not null").is_empty());
    assert!(errors("alter table public.leads alter column id set not null").is_empty());
    assert_eq!(errors("alter table leads alter column phone set not null"), ["set-not-null"]);
    let validated =
        "alter table leads validate constraint hope; alter table leads alter column phone set not null";
    assert!(errors(validated).is_empty());
    let dropped =
        "alter table leads drop constraint proof; alter table leads alter column email set not null";
    assert_eq!(errors(dropped), ["set-not-null"]);
    let named_alike =
        "alter table leads alter column phone set not null; alter table leads drop constraint phone_not_null";
    assert_eq!(errors(named_alike), ["set-not-null"], "the catalog has no such proof");
}

#[test]
fn types_and_checks_decide_on_a_change_of_type() {
    assert!(errors("alter table leads alter column name type varchar(50)").is_empty());
    assert_eq!(errors("alter table leads alter column name type varchar(10)"), ["change-type"]);
    assert_eq!(errors("alter table leads alter column at type timestamptz"), ["change-type"]);
    let utc = Catalog { utc: true, ..leads(5_000 * MIB) };
    assert!(found(utc, "alter table leads alter column at type timestamptz").is_empty());
}

#[test]
fn a_key_over_an_index_is_brief_only_where_no_null_can_be() {
    assert!(errors("alter table leads add primary key using index leads_id_key").is_empty());
    assert_eq!(
        errors("alter table leads add primary key using index leads_ref_key"),
        ["nullable-primary-key"]
    );
}

#[test]
fn sizes_are_shown_and_change_no_verdict() {
    let text = "create index i on leads (email)";
    let (large, tiny) = (found(leads(5_000 * MIB), text), found(leads(MIB / 2), text));
    assert!(large[0].2.ends_with("(leads: about 12,000,000 rows, 4.9 GiB)"), "{large:?}");
    assert!(tiny[0].2.ends_with("(leads: about 12,000,000 rows, 512 KiB)"), "{tiny:?}");
    assert_eq!((large[0].1, tiny[0].1), (Severity::Error, Severity::Error));
}

#[test]
fn a_table_that_is_not_there_cannot_be_blocked_but_nobody_asked_for_every_name() {
    assert!(errors("alter table if exists gone add check (a > 0)").is_empty());
    assert_eq!(errors("alter table other add check (a > 0)"), ["add-check"]);
    assert_eq!(errors("delete from gone"), ["dml-delete"]);
}

#[test]
fn a_routine_of_the_database_is_known_by_its_body() {
    let body = "CREATE OR REPLACE FUNCTION public.tidy()\n RETURNS void\n LANGUAGE sql\nAS $function$ DELETE FROM leads $function$\n";
    let catalog = Catalog { routines: vec![body.into()], ..leads(MIB) };
    assert_eq!(found(catalog, "select tidy()")[0].0, "dml-call");
    assert_eq!(found(leads(MIB), "select tidy()")[0].0, "unknown-call");
}

#[test]
fn an_acceptance_that_the_text_alone_needs_is_not_stale_because_more_is_known() {
    let text = "-- pgdeploy:allow set-not-null: proven\nalter table leads alter column email set not null";
    assert!(found(leads(MIB), text).is_empty());
    let mut judge = Judge::new(Knowledge { one_deploy: true, ..Knowledge::default() });
    let of = |name: &str, text: &str| Source::from_bytes(Path::new(name), text.into()).unwrap();
    judge.migration(&of("1.sql", "create table t (a int)"));
    let accepted = "-- pgdeploy:allow create-index: few rows\ncreate index i on t (a)";
    assert!(judge.migration(&of("2.sql", accepted)).is_empty());
}
