//! Fleets that cannot be, and what is said of them.

use super::environment;

/// One problem is told, with this code and these words.
#[track_caller]
fn refused(fleet: &str, code: &str, parts: &[&str]) {
    let x = format!("{{ database: \"${{X}}\", fleet: {{ {fleet} }} }}");
    one(&x, code, parts);
}

#[track_caller]
fn one(x: &str, code: &str, parts: &[&str]) {
    let told = environment(x);
    assert!(told.starts_with(&format!("{code} pipeline.yaml:5:")), "{x}\n{told}");
    assert_eq!(told.matches("pipeline.yaml:").count(), 1, "one problem of {x}\n{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} of {x}\n{told}");
    }
}

const A: &str = "targets: [ { name: a, url: \"${A}\" } ]";

#[test]
fn a_fleet_has_its_databases_from_exactly_one_source() {
    refused(
        "max_parallel: 2",
        "E470",
        &["no source of its databases", "exactly one of targets, file and sql"],
    );
    refused(&format!("{A}, file: x"), "E470", &["more than one source"]);
    refused("sql: \" \"", "E470", &["an empty one"]);
    refused("targets: []", "E208", &["`targets` is empty"]);
    refused(&format!("{A}, parallel: 2"), "E206", &["unknown key `parallel`", "max_parallel"]);
}

#[test]
fn a_database_of_a_fleet_has_a_name_of_its_own_and_one_url() {
    let twice = "targets: [ { name: a, url: \"${A}\" }, { name: a, url: \"${B}\" } ]";
    refused(twice, "E471", &["two databases are called `a`"]);
    refused("targets: [ { name: a/b, url: \"${A}\" } ]", "E471", &["`a/b` cannot name a database"]);
    refused(
        "targets: [ { name: a } ]",
        "E471",
        &["`a` needs exactly one source", "url, url_file and url_command"],
    );
    refused("targets: [ { url: \"${A}\" } ]", "E209", &["`name` is missing"]);
    refused("targets: [ { name: a, url: mysql://canary } ]", "E265", &["not a PostgreSQL URL"]);
    let gated = "{ database: \"${X}\", approvals: {}, fleet: { targets: [ { name: a, url: \"postgres://u:canary@h/d\" } ] } }";
    one(gated, "E266", &["a password is written in this file"]);
}

#[test]
fn waves_leave_nothing_out_and_none_takes_all_before_the_last() {
    let waves = |waves: &str| format!("{A}, waves: [ {waves} ]");
    refused(
        &waves("{ name: all }, { name: b }"),
        "E472",
        &["`all` takes all that is left", "only the last wave"],
    );
    refused(&waves("{ name: some, take: 1 }"), "E472", &["does not take the rest", "- { name: rest }"]);
    refused(&waves("{ name: a, match: x }, { name: a }"), "E472", &["two waves are called `a`"]);
    refused(
        &waves("{ name: a, take: many }, { name: b }"),
        "E472",
        &["`many` is neither a number nor a percentage"],
    );
    refused(
        &waves("{ name: a, take: 101% }, { name: b }"),
        "E262",
        &["101% is out of bounds", "at most 100%"],
    );
    refused(&waves("{ name: a, take: 0 }, { name: b }"), "E262", &["at least 1"]);
    refused(&waves("{ name: b, max_parallel: 0 }"), "E262", &["0 is out of bounds"]);
    refused(&waves("{ name: b, failure_budget: -1 }"), "E472", &["neither a number"]);
    refused(&waves("{ name: b, soak: 5 }"), "E261", &["has no unit"]);
}

#[test]
fn what_is_around_one_database_is_refused_around_many() {
    one(&format!("{{ database: embedded, fleet: {{ {A} }} }}"), "E473", &["its own database is embedded"]);
    let services =
        format!("{{ database: \"${{X}}\", services: {{ stop: {{ run: [a] }} }}, fleet: {{ {A} }} }}");
    one(&services, "E473", &["services cannot be stopped around it", "services: {}"]);
    let hooks = format!(
        "{{ database: \"${{X}}\", hooks: {{ after_schema: [ {{ name: h, run: [a] }} ] }}, fleet: {{ {A} }} }}"
    );
    one(&hooks, "E473", &["`h` is a hook of after_schema"]);
}
