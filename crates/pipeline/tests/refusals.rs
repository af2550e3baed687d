//! What people read where pipeline.yaml is wrong.

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
    told
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
    insta::assert_snapshot!(with("stages: { schema: { lock_timout: 1s } }"), @"");
    insta::assert_snapshot!(with("stages: { index: { colour: red } }"), @"");
    insta::assert_snapshot!(with("Lock: { wait: 1s }"), @"");
    insta::assert_snapshot!(with("stages:\n  backfill: { workers: 2 }\nguard: {}"), @"");
    insta::assert_snapshot!(environment("{ database: embedded, soak: 24h }"), @"");
    insta::assert_snapshot!(with("lock: { wait: 1s }\nlock: { wait: 2s }"), @"");
    insta::assert_snapshot!(told("version: 1\nenvironments: { dev: { after: [] } }"), @"");
}

#[test]
fn types_are_refused_with_what_was_expected_and_found() {
    insta::assert_snapshot!(told("version: \"1\"\nname: true\nenvironments:\n  dev: embedded\n"), @"");
    insta::assert_snapshot!(with("lock:\nconnect: [1]"), @"");
    insta::assert_snapshot!(environment("{ database: [a], after: dev }"), @"");
    insta::assert_snapshot!(environment("{ database: embedded, fixtures: { after: 0003, sql: a.sql } }"), @"");
    insta::assert_snapshot!(with("services: { stop: { run: [sleep, 5] }, start: { run: [] } }"), @"");
    insta::assert_snapshot!(with("stages: { backfill: { batch_size: 1_000, max_batch: -1, min_batch: 99999999999999999999 } }"), @"");
}

#[test]
fn durations_and_numbers_are_refused_with_their_bounds() {
    insta::assert_snapshot!(with("lock: { wait: 500 }"), @"");
    insta::assert_snapshot!(with("lock: { wait: 5M }"), @"");
    insta::assert_snapshot!(with("stages: { schema: { lock_timeout: 0s, retry_for: 2d, statement_timeout: soon } }"), @"");
    insta::assert_snapshot!(with("stages: { backfill: { batch_size: 20 } }"), @"");
    insta::assert_snapshot!(environment("{ database: embedded, stages: { backfill: { max_batch: 100, progress_every: 0 } } }"), @"");
    insta::assert_snapshot!(with("connect: { initial: 10s }"), @"");
}

#[test]
fn names_and_paths_are_refused_with_their_rules() {
    insta::assert_snapshot!(told("version: 2\nname: My CRM\nledger_schema: pg_deploy\nenvironments: { Dev: { database: embedded } }"), @"");
    insta::assert_snapshot!(with("ledger_schema: \"a b\""), @"");
    insta::assert_snapshot!(with("stages: { schema: { path: /etc }, index: { path: ../x }, backfill: { path: migrations } }"), @"");
}

#[test]
fn environments_are_refused_that_could_not_be_reached() {
    insta::assert_snapshot!(environment("{ database: embedded, after: [dv, x, dev, dev] }"), @"");
    insta::assert_snapshot!(environment("{ database: embedded, after: [y] }\n  y: { database: embedded, after: [z] }\n  z: { database: embedded, after: [x] }"), @"");
    insta::assert_snapshot!(environment("{ after: [dev] }"), @"");
    insta::assert_snapshot!(environment("{ database: \"${X}\", fixtures: { after: \"1\", sql: a.sql } }"), @"");
}

#[test]
fn databases_are_refused_without_quoting_them() {
    insta::assert_snapshot!(environment("{ database: embeded }"), @"");
    insta::assert_snapshot!(environment("{ database: \"mysql://u:canary@h/d\" }"), @"");
    insta::assert_snapshot!(environment("{ database: \"host=h password=canary\" }"), @"");
    insta::assert_snapshot!(environment("{ database: \"postgres://u:canary@h/d\", after: [dev] }"), @"");
    insta::assert_snapshot!(environment("{ database: { url: \"${A}\", url_file: b } }"), @"");
    insta::assert_snapshot!(environment("{ database: {} }"), @"");
}

#[test]
fn a_password_may_be_a_reference_in_a_gated_environment() {
    let text = format!("{REST}  x: {{ database: \"postgres://u:${{PASSWORD}}@h/d\", after: [dev] }}\n");
    pipeline::parse(&text, Path::new("pipeline.yaml")).unwrap();
}

#[test]
fn references_are_refused_that_are_none() {
    insta::assert_snapshot!(environment("{ database: \"$DATABASE_URL\" }"), @"");
    insta::assert_snapshot!(environment("{ database: \"${DATABASE_URL\" }"), @"");
    insta::assert_snapshot!(environment("{ database: \"${A-b}\" }"), @"");
    insta::assert_snapshot!(with("lock: { wait: \"${WAIT}\" }"), @"");
}

#[test]
fn what_is_not_one_yaml_mapping_is_refused() {
    insta::assert_snapshot!(told(""), @"");
    insta::assert_snapshot!(told("# nothing\n"), @"");
    insta::assert_snapshot!(told("- a\n- b\n"), @"");
    insta::assert_snapshot!(told("version: 1\n---\nversion: 1\n"), @"");
    insta::assert_snapshot!(told("version: 1\n\tname: x\n"), @"");
    insta::assert_snapshot!(told("name: [a, b\nversion: 1\n"), @"");
    insta::assert_snapshot!(told("a: &a [1]\nb: [*a, *a]\n"), @"");
    insta::assert_snapshot!(told("name: !!str x\n"), @"");
    insta::assert_snapshot!(told("name: a\0b"), @"");
    insta::assert_snapshot!(told("? [a]\n: b\n"), @"");
}

#[test]
fn columns_count_characters() {
    insta::assert_snapshot!(with("lock: { \"é\": 1, wait: 5 } # ü"), @"");
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let told = |name: &str| {
        let error = pipeline::load(&base.path().join(name)).unwrap_err().to_string();
        error.replace(&base.path().display().to_string(), "BASE")
    };
    insta::assert_snapshot!(told("missing.yaml"), @"");
    insta::assert_snapshot!(told(""), @"");
    std::fs::write(base.path().join("latin1"), b"version: 1\nname: caf\xe9\n").unwrap();
    insta::assert_snapshot!(told("latin1"), @"");
    std::fs::write(base.path().join("large"), " ".repeat(2 << 20)).unwrap();
    insta::assert_snapshot!(told("large"), @"");
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
