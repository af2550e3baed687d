//! What people read where pipeline.yaml is wrong.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use pgdeploy_pipeline as pipeline;
use proptest::prelude::*;

/// A valid rest, in case only one thing should be wrong.
const REST: &str = "version: 1\nname: crm\nenvironments:\n  dev: { database: embedded }\n";

/// Everything a person is told: code, place, message, the marked text, help.
fn told(text: &str) -> String {
    let error = pipeline::parse(text, Path::new("pipeline.yaml")).unwrap_err();
    let mut told = String::new();
    for problem in &error.problems {
        told += &format!("{problem}\n");
        if let Some(span) = &problem.span {
            let line = problem.text.lines().nth(problem.line().unwrap() - 1).unwrap_or_default();
            let marked = problem.text[span.clone()].lines().next().unwrap_or_default().chars().count().max(1);
            told += &format!(
                "  | {line}\n  | {}{}\n",
                " ".repeat(problem.column().unwrap() - 1),
                "^".repeat(marked)
            );
        }
        if let Some(help) = &problem.help {
            told += &format!("  help: {help}\n");
        }
    }
    told.replace('\0', "\u{2400}")
}

fn with(more: &str) -> String {
    told(&format!("{REST}{more}\n"))
}

/// An environment `x` beside `dev`.
fn environment(x: &str) -> String {
    told(&format!("{REST}  x: {x}\n"))
}

#[test]
fn keys_are_refused_by_name_with_what_was_meant() {
    insta::assert_snapshot!(with("stages: { schema: { lock_timout: 1s } }"), @r#"
    E206 pipeline.yaml:5:21: unknown key `lock_timout`
      | stages: { schema: { lock_timout: 1s } }
      |                     ^^^^^^^^^^^
      help: did you mean `lock_timeout`?
    "#);
    insta::assert_snapshot!(with("stages: { index: { colour: red } }"), @r#"
    E206 pipeline.yaml:5:20: unknown key `colour`
      | stages: { index: { colour: red } }
      |                    ^^^^^^
      help: the keys here are budget, path
    "#);
    insta::assert_snapshot!(with("Lock: { wait: 1s }"), @r#"
    E206 pipeline.yaml:5:1: unknown key `Lock`
      | Lock: { wait: 1s }
      | ^^^^
      help: did you mean `lock`?
    "#);
    insta::assert_snapshot!(with("stages:\n  backfill: { workers: 2 }\nguard: {}"), @r#"
    E207 pipeline.yaml:6:15: `workers` is not supported yet
      |   backfill: { workers: 2 }
      |               ^^^^^^^
      help: remove it: this version would not do what it says
    E207 pipeline.yaml:7:1: `guard` is not supported yet
      | guard: {}
      | ^^^^^
      help: remove it: this version would not do what it says
    "#);
    insta::assert_snapshot!(environment("{ database: embedded, soak: 24h }"), @r#"
    E207 pipeline.yaml:5:28: `soak` is not supported yet
      |   x: { database: embedded, soak: 24h }
      |                            ^^^^
      help: remove it: this version would not do what it says
    "#);
    insta::assert_snapshot!(with("lock: { wait: 1s }\nlock: { wait: 2s }"), @r#"
    E205 pipeline.yaml:6:1: `lock` is written twice; the first is on line 5
      | lock: { wait: 2s }
      | ^^^^
      help: keep one of the two
    "#);
    insta::assert_snapshot!(told("version: 1\nenvironments: { dev: { after: [] } }"), @r#"
    E209 pipeline.yaml:1:1: `name` is missing from `pipeline.yaml`
      | version: 1
      | ^^^^^^^^^^
      help: `name`: The name of the pipeline, part of the lock's key and of every record: 1 to 63 of a-z, 0-9, _ and -, a letter first.
    E209 pipeline.yaml:2:22: `database` is missing from `dev`
      | environments: { dev: { after: [] } }
      |                      ^^^^^^^^^^^^^
      help: `database`: `embedded`, a URL such as "${PRODUCTION_DATABASE_URL}", or where to get it: { url_file: .. } or { url_command: [..] }.
    "#);
}

#[test]
fn types_are_refused_with_what_was_expected_and_found() {
    insta::assert_snapshot!(told("version: \"1\"\nname: true\nenvironments:\n  dev: embedded\n"), @r#"
    E208 pipeline.yaml:1:10: `version`: expected a whole number, found text
      | version: "1"
      |          ^^^
      help: write it without quotes: 1
    E208 pipeline.yaml:2:7: `name`: expected text, found the boolean true
      | name: true
      |       ^^^^
      help: put it in quotes: "true"
    E208 pipeline.yaml:4:8: `dev`: expected a mapping, found text
      |   dev: embedded
      |        ^^^^^^^^
    "#);
    insta::assert_snapshot!(with("lock:\nconnect: [1]"), @r#"
    E208 pipeline.yaml:5:5: `lock`: expected a mapping, found nothing
      | lock:
      |     ^
      help: write a value or remove the key
    E208 pipeline.yaml:6:10: `connect`: expected a mapping, found a list
      | connect: [1]
      |          ^^^
    "#);
    insta::assert_snapshot!(environment("{ database: [a], after: dev }"), @r#"
    E208 pipeline.yaml:5:18: `database`: expected text or a mapping, found a list
      |   x: { database: [a], after: dev }
      |                  ^^^
    E208 pipeline.yaml:5:30: `after`: expected a list, found text
      |   x: { database: [a], after: dev }
      |                              ^^^
      help: a list is written in brackets: `[first, second]`
    "#);
    insta::assert_snapshot!(environment("{ database: embedded, fixtures: { after: 0003, sql: a.sql } }"), @r#"
    E208 pipeline.yaml:5:47: `after`: expected text, found the number 0003
      |   x: { database: embedded, fixtures: { after: 0003, sql: a.sql } }
      |                                               ^^^^
      help: put it in quotes: "0003"
    "#);
    insta::assert_snapshot!(with("services: { stop: { run: [sleep, 5] }, start: { run: [] } }"), @r#"
    E208 pipeline.yaml:5:34: `run`: expected text, found the number 5
      | services: { stop: { run: [sleep, 5] }, start: { run: [] } }
      |                                  ^
      help: put it in quotes: "5"
    E208 pipeline.yaml:5:54: `run` is empty
      | services: { stop: { run: [sleep, 5] }, start: { run: [] } }
      |                                                      ^^
    "#);
    insta::assert_snapshot!(with("stages: { backfill: { batch_size: 1_000, max_batch: -1, min_batch: 99999999999999999999 } }"), @r#"
    E208 pipeline.yaml:5:35: `batch_size`: expected a whole number, found text
      | stages: { backfill: { batch_size: 1_000, max_batch: -1, min_batch: 99999999999999999999 } }
      |                                   ^^^^^
    E208 pipeline.yaml:5:53: `max_batch`: expected a whole number, found the number -1
      | stages: { backfill: { batch_size: 1_000, max_batch: -1, min_batch: 99999999999999999999 } }
      |                                                     ^^
    E262 pipeline.yaml:5:68: 99999999999999999999 is too large for `min_batch`
      | stages: { backfill: { batch_size: 1_000, max_batch: -1, min_batch: 99999999999999999999 } }
      |                                                                    ^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn durations_and_numbers_are_refused_with_their_bounds() {
    insta::assert_snapshot!(with("lock: { wait: 500 }"), @r#"
    E261 pipeline.yaml:5:15: `500` has no unit
      | lock: { wait: 500 }
      |               ^^^
      help: write a unit, such as 500s; the units are ms, s, m (minutes), h, d
    "#);
    insta::assert_snapshot!(with("lock: { wait: 5M }"), @r#"
    E261 pipeline.yaml:5:15: `5M`: `M` means months, which have no fixed length
      | lock: { wait: 5M }
      |               ^^
      help: minutes are `m`; the units are ms, s, m (minutes), h, d
    "#);
    insta::assert_snapshot!(with("stages: { schema: { lock_timeout: 0s, retry_for: 2d, statement_timeout: soon } }"), @r#"
    E262 pipeline.yaml:5:35: 0s is too short
      | stages: { schema: { lock_timeout: 0s, retry_for: 2d, statement_timeout: soon } }
      |                                   ^^
      help: at least 1ms, at most 10m
    E262 pipeline.yaml:5:50: 2d is too long
      | stages: { schema: { lock_timeout: 0s, retry_for: 2d, statement_timeout: soon } }
      |                                                  ^^
      help: at least 0s, at most 1d
    E261 pipeline.yaml:5:73: `soon` is not a duration
      | stages: { schema: { lock_timeout: 0s, retry_for: 2d, statement_timeout: soon } }
      |                                                                         ^^^^
      help: write a number and a unit, such as 500ms or 1h 30m; the units are ms, s, m (minutes), h, d
    "#);
    insta::assert_snapshot!(with("stages: { backfill: { batch_size: 20 } }"), @r#"
    E262 pipeline.yaml:5:35: batch_size 20 is not within min_batch 50 and max_batch 20000
      | stages: { backfill: { batch_size: 20 } }
      |                                   ^^
      help: what is not written has its default: 50 <= 200 <= 20000
    "#);
    insta::assert_snapshot!(environment("{ database: embedded, stages: { backfill: { max_batch: 100, progress_every: 0 } } }"), @r#"
    E262 pipeline.yaml:5:61: batch_size 200 is not within min_batch 50 and max_batch 100
      |   x: { database: embedded, stages: { backfill: { max_batch: 100, progress_every: 0 } } }
      |                                                             ^^^
      help: what is not written has its default: 50 <= 200 <= 20000
    E262 pipeline.yaml:5:82: 0 is out of bounds
      |   x: { database: embedded, stages: { backfill: { max_batch: 100, progress_every: 0 } } }
      |                                                                                  ^
      help: at least 1, at most 1000000
    "#);
    insta::assert_snapshot!(with("connect: { initial: 10s }"), @r#"
    E262 pipeline.yaml:5:21: the first pause is longer than the longest one
      | connect: { initial: 10s }
      |                     ^^^
      help: initial is at most max
    "#);
}

#[test]
fn names_and_paths_are_refused_with_their_rules() {
    insta::assert_snapshot!(told("version: 2\nname: My CRM\nledger_schema: pg_deploy\nenvironments: { Dev: { database: embedded } }"), @r#"
    E260 pipeline.yaml:1:10: version 2 is not known
      | version: 2
      |          ^
      help: this pgdeploy reads version 1
    E260 pipeline.yaml:2:7: `My CRM` cannot name a pipeline
      | name: My CRM
      |       ^^^^^^
      help: a name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter
    E260 pipeline.yaml:3:16: `pg_deploy` is a name that PostgreSQL keeps for itself
      | ledger_schema: pg_deploy
      |                ^^^^^^^^^
      help: the default is pgdeploy
    E260 pipeline.yaml:4:17: `Dev` cannot name an environment
      | environments: { Dev: { database: embedded } }
      |                 ^^^
      help: a name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter
    "#);
    insta::assert_snapshot!(with("ledger_schema: \"a b\""), @r#"
    E260 pipeline.yaml:5:16: `a b` cannot name the ledger's schema
      | ledger_schema: "a b"
      |                ^^^^^
      help: an identifier that needs no quotes: 1 to 63 of a-z, 0-9 and _, no digit first
    "#);
    insta::assert_snapshot!(with("stages: { schema: { path: /etc }, index: { path: ../x }, backfill: { path: migrations } }"), @r#"
    E260 pipeline.yaml:5:27: the path `/etc` is not allowed
      | stages: { schema: { path: /etc }, index: { path: ../x }, backfill: { path: migrations } }
      |                           ^^^^
      help: a path is relative to the directory of pipeline.yaml and stays below it
    E260 pipeline.yaml:5:50: the path `../x` is not allowed
      | stages: { schema: { path: /etc }, index: { path: ../x }, backfill: { path: migrations } }
      |                                                  ^^^^
      help: a path is relative to the directory of pipeline.yaml and stays below it
    "#);
}

#[test]
fn environments_are_refused_that_could_not_be_reached() {
    insta::assert_snapshot!(environment("{ database: embedded, after: [dv, x, dev, dev] }"), @r#"
    E263 pipeline.yaml:5:36: there is no environment `dv`
      |   x: { database: embedded, after: [dv, x, dev, dev] }
      |                                    ^^
      help: did you mean `dev`?
    E264 pipeline.yaml:5:40: `x` cannot come after itself
      |   x: { database: embedded, after: [dv, x, dev, dev] }
      |                                        ^
      help: name the environment that a release reaches before
    E260 pipeline.yaml:5:48: `dev` is named twice
      |   x: { database: embedded, after: [dv, x, dev, dev] }
      |                                                ^^^
      help: once is enough
    "#);
    insta::assert_snapshot!(environment("{ database: embedded, after: [y] }\n  y: { database: embedded, after: [z] }\n  z: { database: embedded, after: [x] }"), @r#"
    E264 pipeline.yaml:7:36: these environments wait for each other: x after y after z after x
      |   z: { database: embedded, after: [x] }
      |                                    ^
      help: one of them has to come first
    "#);
    insta::assert_snapshot!(environment("{ after: [dev] }"), @r#"
    E209 pipeline.yaml:5:6: `database` is missing from `x`
      |   x: { after: [dev] }
      |      ^^^^^^^^^^^^^^^^
      help: `database`: `embedded`, a URL such as "${PRODUCTION_DATABASE_URL}", or where to get it: { url_file: .. } or { url_command: [..] }.
    "#);
    insta::assert_snapshot!(environment("{ database: \"${X}\", fixtures: { after: \"1\", sql: a.sql } }"), @r#"
    E267 pipeline.yaml:5:55: fixtures are for embedded databases only
      |   x: { database: "${X}", fixtures: { after: "1", sql: a.sql } }
      |                                                       ^^^^^
      help: remove them: rows of a real database are never ours to make up
    "#);
}

#[test]
fn databases_are_refused_without_quoting_them() {
    insta::assert_snapshot!(environment("{ database: embeded }"), @r#"
    E265 pipeline.yaml:5:18: this is not a PostgreSQL URL
      |   x: { database: embeded }
      |                  ^^^^^^^
      help: did you mean `embedded`?
    "#);
    insta::assert_snapshot!(environment("{ database: \"mysql://u:canary@h/d\" }"), @r#"
    E265 pipeline.yaml:5:18: this is not a PostgreSQL URL
      |   x: { database: "mysql://u:******@h/d" }
      |                  ^^^^^^^^^^^^^^^^^^^^^^
      help: write `embedded`, or a URL: postgres://user@host:5432/database
    "#);
    insta::assert_snapshot!(environment("{ database: \"host=h password=canary\" }"), @r#"
    E265 pipeline.yaml:5:18: this is not a PostgreSQL URL
      |   x: { database: "host=h password=******" }
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^
      help: write `embedded`, or a URL: postgres://user@host:5432/database
    "#);
    insta::assert_snapshot!(environment("{ database: \"postgres://u:canary@h/d\", after: [dev] }"), @r#"
    E266 pipeline.yaml:5:18: a password is written in this file
      |   x: { database: "postgres://u:******@h/d", after: [dev] }
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^
      help: take it from a variable, "${DATABASE_URL}", or from url_file or url_command
    "#);
    insta::assert_snapshot!(environment("{ database: { url: \"${A}\", url_file: b } }"), @r#"
    E265 pipeline.yaml:5:43: `database` of `x` needs exactly one source
      |   x: { database: { url: "${A}", url_file: b } }
      |                                           ^
      help: one of url, url_file and url_command
    "#);
    insta::assert_snapshot!(environment("{ database: {} }"), @r#"
    E265 pipeline.yaml:5:3: `database` of `x` needs exactly one source
      |   x: { database: {} }
      |   ^
      help: one of url, url_file and url_command
    "#);
}

#[test]
fn a_password_may_be_a_reference_in_a_gated_environment() {
    let text = format!("{REST}  x: {{ database: \"postgres://u:${{PASSWORD}}@h/d\", after: [dev] }}\n");
    pipeline::parse(&text, Path::new("pipeline.yaml")).unwrap();
}

#[test]
fn references_are_refused_that_are_none() {
    insta::assert_snapshot!(environment("{ database: \"$DATABASE_URL\" }"), @r#"
    E268 pipeline.yaml:5:19: not a reference: a lone `$`: write `${NAME}` for a variable, `$$` for a dollar sign
      |   x: { database: "$DATABASE_URL" }
      |                   ^
      help: the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}
    "#);
    insta::assert_snapshot!(environment("{ database: \"${DATABASE_URL\" }"), @r#"
    E268 pipeline.yaml:5:19: not a reference: `${` without its `}`
      |   x: { database: "${DATABASE_URL" }
      |                   ^
      help: the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}
    "#);
    insta::assert_snapshot!(environment("{ database: \"${A-b}\" }"), @r#"
    E268 pipeline.yaml:5:19: not a reference: after the name only `:-default` or `:?message` can follow
      |   x: { database: "${A-b}" }
      |                   ^^^^^^
      help: the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}
    "#);
    insta::assert_snapshot!(with("lock: { wait: \"${WAIT}\" }"), @r#"
    E261 pipeline.yaml:5:15: `${WAIT}`: no reference can stand for a duration
      | lock: { wait: "${WAIT}" }
      |               ^^^^^^^^^
      help: references are allowed in database, path and run only
    "#);
}

#[test]
fn what_is_not_one_yaml_mapping_is_refused() {
    insta::assert_snapshot!(told(""), @r#"
    E203 pipeline.yaml:1:1: is empty
      | 
      | ^
      help: the smallest pipeline has version, name and environments; `pgdeploy init` writes one
    "#);
    insta::assert_snapshot!(told("# nothing\n"), @r#"
    E203 pipeline.yaml:1:1: is empty
      | # nothing
      | ^
      help: the smallest pipeline has version, name and environments; `pgdeploy init` writes one
    "#);
    insta::assert_snapshot!(told("- a\n- b\n"), @r#"
    E203 pipeline.yaml:1:1: is not a mapping: expected `version`, `name` and `environments` with their values
      | - a
      | ^^^
    "#);
    insta::assert_snapshot!(told("version: 1\n---\nversion: 1\n"), @r#"
    E203 pipeline.yaml:2:1: holds a second document: one file is one pipeline
      | ---
      | ^^^
    "#);
    insta::assert_snapshot!(told("version: 1\n\tname: x\n"), @r#"
    E202 pipeline.yaml:1:10: is not YAML: while scanning a plain scalar, found a tab
      | version: 1
      |          ^
      help: indent with spaces: YAML allows no tabs
    "#);
    insta::assert_snapshot!(told("name: [a, b\nversion: 1\n"), @r#"
    E202 pipeline.yaml:2:8: is not YAML: illegal placement of ':' indicator
      | version: 1
      |        ^
    "#);
    insta::assert_snapshot!(told("a: &a [1]\nb: [*a, *a]\n"), @r#"
    E204 pipeline.yaml:1:4: anchors and aliases (`&`, `*`) are not part of the format
      | a: &a [1]
      |    ^^^^
      help: write the value where it is used; quote text that starts with & * or !
    "#);
    insta::assert_snapshot!(told("name: !!str x\n"), @r#"
    E204 pipeline.yaml:1:7: tags (`!`) are not part of the format
      | name: !!str x
      |       ^^^^^^^
      help: write the value where it is used; quote text that starts with & * or !
    "#);
    insta::assert_snapshot!(told("name: a\0b"), @r#"
    E201 pipeline.yaml:1:8: holds a NUL byte: this is not a text file
      | name: a␀b
      |        ^
    "#);
    insta::assert_snapshot!(told("? [a]\n: b\n"), @r#"
    E208 pipeline.yaml:1:3: a key must be text
      | ? [a]
      |   ^
    "#);
}

#[test]
fn columns_count_characters() {
    insta::assert_snapshot!(with("lock: { \"é\": 1, wait: 5 } # ü"), @r#"
    E206 pipeline.yaml:5:9: unknown key `é`
      | lock: { "é": 1, wait: 5 } # ü
      |         ^^^
      help: the keys here are wait
    E261 pipeline.yaml:5:23: `5` has no unit
      | lock: { "é": 1, wait: 5 } # ü
      |                       ^
      help: write a unit, such as 5s; the units are ms, s, m (minutes), h, d
    "#);
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let told = |name: &str| {
        let error = pipeline::load(&base.path().join(name)).unwrap_err().to_string();
        error.replace(&base.path().display().to_string(), "BASE")
    };
    insta::assert_snapshot!(told("missing.yaml"), @r#"
    E201 BASE/missing.yaml: cannot be read: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(told(""), @"E201 BASE/: is a directory");
    std::fs::write(base.path().join("latin1"), b"version: 1\nname: caf\xe9\n").unwrap();
    insta::assert_snapshot!(told("latin1"), @"E201 BASE/latin1:2:10: is not UTF-8");
    std::fs::write(base.path().join("large"), " ".repeat(2 << 20)).unwrap();
    insta::assert_snapshot!(told("large"), @"E201 BASE/large: is larger than 1024 KiB");
}

#[test]
fn hostile_files_end_quickly() {
    let deep = ["[".repeat(500_000), "{a: ".repeat(200_000), "- ".repeat(400_000), "a:\n ".repeat(200_000)];
    let wide = [format!("a: [{}]", "x,".repeat(400_000)), "&a ".repeat(300_000), "\"".repeat(900_001)];
    let keys: String = (0..60_000).map(|nth| format!("k{nth}: 1\n")).collect();
    for text in deep.iter().chain(&wide).chain([&keys]) {
        let started = std::time::Instant::now();
        assert!(pipeline::parse(text, Path::new("pipeline.yaml")).is_err());
        let took = started.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{:?} took {took:?}", text.get(..20));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = pipeline::parse(&text, Path::new("pipeline.yaml"));
    }

    #[test]
    fn no_near_miss_of_a_pipeline_panics(cut in 0usize..1200, length in 0usize..60, put in "[ \\n:{}\\[\\]$\"'#&*!|>%@a-f0-9é-]{0,12}") {
        let full = include_str!("full.yaml");
        let cut = cut.min(full.len());
        let end = (cut + length).min(full.len());
        let text = format!("{}{put}{}", &full[..cut], &full[end..]);
        if let Err(error) = pipeline::parse(&text, Path::new("pipeline.yaml")) {
            prop_assert!(!error.problems.is_empty());
            for problem in &error.problems {
                let _ = (problem.line(), problem.column());
                if let Some(span) = &problem.span {
                    prop_assert!(problem.text.get(span.clone()).is_some());
                }
            }
        }
    }
}
