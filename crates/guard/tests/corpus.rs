//! Every file of the corpus gets the verdict in its first line, and the judge is quick and never falls over.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use pgdeploy_guard::{Finding, Judge, Knowledge, Severity, Source};
use proptest::prelude::*;

fn corpus(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn source(path: &Path) -> Source {
    Source::from_bytes(Path::new(path.file_name().unwrap()), std::fs::read(path).unwrap()).unwrap()
}

fn judged(source: &Source) -> Vec<Finding> {
    Judge::new(Knowledge::default()).migration(source)
}

fn alarms(findings: &[Finding]) -> Vec<&'static str> {
    let mut rules: Vec<_> =
        findings.iter().filter(|each| each.severity > Severity::Hint).map(|each| each.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn every_unsafe_file_is_found_and_no_safe_file_is_alarmed_at() {
    let mut wrong = Vec::new();
    let (hidden, safe) = (corpus("unsafe"), corpus("safe"));
    assert!(hidden.len() + safe.len() >= 150, "{} + {}", hidden.len(), safe.len());
    for path in hidden.iter().chain(&safe) {
        let source = source(path);
        let expected = source.text.lines().next().unwrap().strip_prefix("-- expect: ").unwrap();
        let expected: Vec<&str> = expected.split(", ").filter(|rule| *rule != "none").collect();
        let findings = judged(&source);
        let found = alarms(&findings);
        let missing = expected.iter().any(|rule| !found.contains(rule));
        if missing || expected.is_empty() && !found.is_empty() {
            let messages: Vec<_> = findings.iter().map(|each| each.message.as_str()).collect();
            wrong.push(format!("{}: {expected:?}, not {found:?}: {messages:?}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_routine_of_an_earlier_file_is_remembered() {
    let of = |name: &str, text: &str| Source::from_bytes(Path::new(name), text.into()).unwrap();
    let mut judge = Judge::new(Knowledge::default());
    judge.applied(&of("1.sql", "create function tidy() returns void language sql as 'delete from leads'"));
    assert_eq!(alarms(&judge.migration(&of("2.sql", "select tidy()"))), ["dml-call"]);
    judge.applied(&of("3.sql", "create or replace function tidy() returns void language sql as 'select 1'"));
    assert_eq!(alarms(&judge.migration(&of("4.sql", "select tidy()"))), [""; 0]);
}

#[test]
fn a_finding_in_a_block_points_at_its_line_and_can_be_accepted_there() {
    let text = "do $$\nbegin\n  perform 1;\n  -- pgdeploy:allow dml-delete: two rows\n  delete from a;\n  delete from b;\nend $$;";
    let source = Source::from_bytes(Path::new("1.sql"), text.into()).unwrap();
    let mut judge = Judge::new(Knowledge::default());
    let found = judge.migration(&source);
    let places: Vec<_> = found.iter().map(|each| (each.place().line, each.place().column)).collect();
    assert_eq!(places, [(6, 3)], "{found:?}");
    assert_eq!(judge.accepted()[0].reason, "two rows");
}

#[test]
fn the_examples_files_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut judge = Judge::new(Knowledge::default());
    for folder in ["migrations", "indexes", "backfills"] {
        let mut paths: Vec<_> =
            std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty());
        for path in paths {
            let source = source(&path);
            let found = match folder {
                "migrations" => judge.migration(&source),
                "indexes" => judge.index_file(&source),
                _ => judge.backfill_file(&source),
            };
            assert!(alarms(&found).is_empty(), "{}: {found:?}", path.display());
        }
    }
}

#[test]
fn other_files_hold_what_their_folder_says() {
    let of = |text: &str| Source::from_bytes(Path::new("1.sql"), text.into()).unwrap();
    let mut judge = Judge::new(Knowledge::default());
    for good in ["create index i on t (a); drop index j", "create unique index concurrently i on t (a)"] {
        assert!(judge.index_file(&of(good)).is_empty(), "{good}");
    }
    for bad in [
        "alter table t add a int",
        "create index if not exists i on t (a)",
        "create index on t (a)",
        "create idx",
    ] {
        assert_eq!(judge.index_file(&of(bad)).len(), 1, "{bad}");
    }
    for good in [
        "update t set a = 1",
        "delete from t where a",
        "insert into t select * from u",
        "with c as (select 1) update t set a = 1 from c",
    ] {
        assert!(judge.backfill_file(&of(good)).is_empty(), "{good}");
    }
    for bad in [
        "",
        "alter table t add a int",
        "update t set a = 1; update u set a = 1",
        "do $$ begin update t set a = 1; end $$",
        "truncate t",
        "with d as (delete from u returning 1) update t set a = 1",
    ] {
        assert_eq!(judge.backfill_file(&of(bad)).len(), 1, "{bad}");
    }
}

#[test]
fn nasty_inputs_end_in_findings_and_not_in_a_crash() {
    let nested = |n: usize| format!("select {}1{}", "(select ".repeat(n), ")".repeat(n));
    let blocks = format!("do $$ {} delete from t; {} $$", "begin ".repeat(120), "end; ".repeat(120));
    let inputs = [
        String::new(), ";;;".into(), "do $$ $$".into(), "do ''".into(), "do $$ begin execute 1/0; end $$".into(),
        nested(400), blocks, format!("select {}", vec!["'a'"; 400].join("||")),
        format!("do $$ begin execute {}; end $$", vec!["'a'"; 400].join("||")),
        "do $$ declare v text; begin v := v || v; v := v || v || v; execute v || v; end $$".into(),
        "create function f() returns void language sql as 'select g()'; create function g() returns void language sql as 'select f()'; select f()".into(),
        format!("insert into t values {}", vec!["(1, 'é')"; 20_000].join(",")),
        "do $$ begin execute format('%', 1); execute format('%9$I %s'); execute format('%é'); end $$".into(),
        "-- pgdeploy:allow\n-- pgdeploy:allow x\n-- pgdeploy:allow é: ü".into(),
        "do $guard0$ begin delete from é; end $guard0$".into(),
    ];
    for input in inputs {
        let source = Source::from_bytes(Path::new("1.sql"), input.clone().into_bytes()).unwrap();
        for finding in judged(&source) {
            assert!(source.text.get(finding.span.clone()).is_some(), "{finding:?}");
        }
    }
}

#[test]
fn a_thousand_files_are_judged_quickly() {
    let sources: Vec<Source> =
        corpus("safe").iter().chain(&corpus("unsafe")).map(|path| source(path)).collect();
    let start = Instant::now();
    let mut judge = Judge::new(Knowledge::default());
    let mut found = 0;
    for source in sources.iter().cycle().take(1000) {
        found += judge.migration(source).len();
    }
    assert!(found > 500, "{found}");
    // A second in a release build; a debug build on a busy machine gets more.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    eprintln!("1,000 files: {:?}", start.elapsed());
}

const WORDS: [&str; 40] = [
    "select",
    "update",
    "delete from",
    "insert into",
    "t",
    "set",
    "a = 1",
    "(",
    ")",
    ";",
    "do $$",
    "$$",
    "begin",
    "end",
    "execute",
    "'",
    "''",
    "format('%I %s', ",
    "||",
    "with x as (",
    "create function f() returns int language plpgsql as",
    "alter table t",
    "add column b int",
    "default random()",
    "é",
    "--",
    "/*",
    "*/",
    "\n",
    "$1",
    "values (1)",
    "if",
    "then",
    "loop",
    "for r in",
    "declare v text := ",
    "-- pgdeploy:allow dml-update: x\n",
    "-- pgdeploy:\n--   allow: [a]\n",
    ",",
    "null",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn token_soup_never_panics(picks in prop::collection::vec(0..WORDS.len(), 0..40)) {
        let text: Vec<&str> = picks.into_iter().map(|pick| WORDS[pick]).collect();
        let source = Source::from_bytes(Path::new("1.sql"), text.join(" ").into_bytes()).unwrap();
        for finding in judged(&source) {
            prop_assert!(source.text.get(finding.span.clone()).is_some());
            prop_assert!(!finding.message.contains("gave up"), "{}", finding.message);
        }
    }

    #[test]
    fn blocks_of_soup_never_panic(picks in prop::collection::vec(0..WORDS.len(), 0..30)) {
        let text: Vec<&str> = picks.into_iter().map(|pick| WORDS[pick]).filter(|word| !word.contains("$$")).collect();
        let text = format!("do $$ begin {} end $$; create function g() returns int language plpgsql as $$ begin {} end $$; select g()", text.join(" "), text.join(" "));
        let source = Source::from_bytes(Path::new("1.sql"), text.into_bytes()).unwrap();
        prop_assert!(judged(&source).iter().all(|finding| !finding.message.contains("gave up")));
    }

    #[test]
    fn random_nesting_never_panics(levels in prop::collection::vec(0usize..6, 0..150)) {
        let mut text = "delete from leads".to_owned();
        for (depth, level) in levels.into_iter().enumerate() {
            text = match level {
                0 => format!("select ({text})"),
                1 => format!("with w{depth} as ({text} returning 1) select 1 from w{depth}"),
                2 => format!("explain analyze {text}"),
                3 => format!("do $d{depth}$ begin {text}; end $d{depth}$"),
                4 => format!("do $d{depth}$ begin execute $e{depth}${text}$e{depth}$; end $d{depth}$"),
                _ => format!("create function f{depth}() returns int language plpgsql as $f{depth}$ begin {text}; end $f{depth}$; select f{depth}()"),
            };
        }
        let source = Source::from_bytes(Path::new("1.sql"), text.into_bytes()).unwrap();
        prop_assert!(judged(&source).iter().all(|finding| !finding.message.contains("gave up")));
    }

    #[test]
    fn truncated_bytes_never_panic(at in 0usize..400, noise in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = "do $$ declare v text := 'é'; begin execute format('update %I set ü = 1', v); end $$; -- é\nupdate t set a = 'ü'".as_bytes().to_vec();
        bytes.truncate(at);
        bytes.extend(noise);
        if let Ok(source) = Source::from_bytes(Path::new("1.sql"), bytes) {
            judged(&source);
        }
    }
}
