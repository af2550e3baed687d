//! Values of the wrong type, out of bounds, or not allowed as names and paths.

use super::{environment, told, with};

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
fn a_word_that_is_no_choice_is_refused_with_the_one_that_was_meant() {
    insta::assert_snapshot!(with("stages: { index: { on_drift: replase, on_interrupt: maybe, parallel: 0 } }"), @r#"
    E260 pipeline.yaml:5:30: `replase` is not allowed
      | stages: { index: { on_drift: replase, on_interrupt: maybe, parallel: 0 } }
      |                              ^^^^^^^
      help: did you mean `replace`?
    E260 pipeline.yaml:5:53: `maybe` is not allowed
      | stages: { index: { on_drift: replase, on_interrupt: maybe, parallel: 0 } }
      |                                                     ^^^^^
      help: write detach or cancel
    E262 pipeline.yaml:5:70: 0 is out of bounds
      | stages: { index: { on_drift: replase, on_interrupt: maybe, parallel: 0 } }
      |                                                                      ^
      help: at least 1, at most 32
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
