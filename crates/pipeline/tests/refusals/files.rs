//! Files that are not one YAML mapping, hostile ones, and any text at all.

use std::path::Path;

use pgdeploy_pipeline as pipeline;
use proptest::prelude::*;

use super::{told, with};

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
        let full = include_str!("../full.yaml");
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
