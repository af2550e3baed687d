//! Gates that nobody could ever meet, and what is said of them.

use super::{environment, told};

/// One problem is told, at the place where this text stands, with these words.
#[track_caller]
fn refused(x: &str, code: &str, place: &str, parts: &[&str]) {
    let told = environment(x);
    let column = format!("  x: {x}").rfind(place).unwrap() + 1;
    assert!(told.starts_with(&format!("{code} pipeline.yaml:5:{column}:")), "{x}\n{told}");
    assert_eq!(told.matches("pipeline.yaml:").count(), 1, "one problem of {x}\n{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} of {x}\n{told}");
    }
}

/// A gate in an environment that is after dev.
fn gate(gate: &str) -> String {
    format!("{{ database: \"${{X}}\", after: [dev], {gate} }}")
}

#[test]
fn zones_and_cron_are_checked_when_the_file_is_read() {
    let window = |window: &str| gate(&format!("freeze: [ {{ {window} }} ]"));
    let x = window("deny: \"0 18 * * FRI\", for: 62h, timezone: Europe/Pari");
    refused(&x, "E410", "Europe/Pari", &["there is no time zone `Europe/Pari`", "IANA name"]);
    let x = window("deny: \"0 25 * * FRI\", for: 62h, timezone: UTC");
    refused(&x, "E411", "\"0 25", &["`25` is no hour", "five fields"]);
    let x = window("deny: \"0 0 30 2 *\", for: 1h, timezone: UTC");
    refused(&x, "E411", "\"0 0 30", &["never comes"]);
    let x = window("deny: \"* * * * *\", for: 1s, timezone: UTC");
    refused(&x, "E262", "1s", &["too short"]);
    let x = window("deny: \"0 18 * * *\", timezone: UTC");
    refused(&x, "E412", "\"0 18", &["this is no window", "for: 62h"]);
    let x = window("deny: \"0 18 * * *\", allow: \"0 18 * * *\", for: 1h, timezone: UTC");
    refused(&x, "E412", "\"0 18 * * *\", allow", &["this is no window"]);
    let x = window("from: 2026-12-24, to: 2026-12-23, timezone: UTC");
    refused(&x, "E412", "2026-12-23", &["ends before it begins"]);
    let x = window("from: 2026-12-24T00:00, to: 2026-12-24T00:00, timezone: UTC");
    refused(&x, "E412", "2026-12-24T00:00, timezone", &["ends before it begins", "all of that day"]);
    let x = window("from: christmas, to: 2026-12-23, timezone: UTC");
    refused(&x, "E412", "christmas", &["`christmas` is no time"]);
    let x = window("deny: \"0 18 * * FRI\", for: 62h");
    refused(&x, "E209", "{ deny", &["`timezone` is missing"]);
    let x = window("deny: \"0 18 * * FRI\", for: 62h, timezone: UTC, stages: [backfil]");
    refused(&x, "E260", "backfil]", &["did you mean `backfill`?"]);
}

#[test]
fn gates_without_an_environment_before_are_refused() {
    refused("{ database: \"${X}\", soak: 24h }", "E413", "24h", &["no environment to soak in"]);
    let receipts =
        "receipts: { from: [a.json], public_key: \"GasMqvNRWWbINIC2m1x0IZbyFh5OjFQpmcHl5lqsu+U=\" }";
    refused(&format!("{{ database: \"${{X}}\", {receipts} }}"), "E413", "a.json", &["no environment before"]);
}

#[test]
fn approvals_that_nobody_could_give_are_refused() {
    refused(
        &gate("approvals: { required: 2, from: [alice] }"),
        "E414",
        "2, from",
        &["2 approvals are required, and 1"],
    );
    refused(
        &gate("approvals: { from: [alice, Alice@x.org] }"),
        "E414",
        "Alice@x.org",
        &["stands here twice"],
    );
    refused(&gate("approvals: { required: 0 }"), "E262", "0 }", &["0 is out of bounds"]);
    refused(&gate("approvals: { from: [] }"), "E208", "[] }", &["`from` is empty"]);
    refused(&gate("overrides: [soaks]"), "E260", "soaks", &["did you mean `soak`?"]);
}

#[test]
fn keys_are_refused_without_being_quoted() {
    let literal = gate("receipt: { write: a.json, sign_key: \"canarycanarycanary\" }");
    refused(&literal, "E416", "\"canary", &["a private key is written in this file"]);
    refused(&gate("receipt: { write: a.json }"), "E415", "a.json", &["exactly one key"]);
    let no_key = gate("receipts: { from: [a.json], public_key: \"bm9uZQ==\" }");
    refused(&no_key, "E415", "\"bm9u", &["this is not an Ed25519 key", "pgdeploy receipt keys"]);
}

#[test]
fn a_literal_password_is_refused_behind_any_gate() {
    let with = |gate: &str| format!("{{ database: \"postgres://u:canary@h/d\", {gate} }}");
    for one in ["approvals: {}", "freeze: [ { deny: \"0 0 * * *\", for: 1h, timezone: UTC } ]"] {
        refused(&with(one), "E266", "\"postgres", &["a password is written in this file"]);
    }
    assert!(
        !told(&format!("version: 1\nenvironments: {{ x: {} }}", with("approvals: {}"))).contains("canary")
    );
}
