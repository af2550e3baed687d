//! Keys that are unknown, planned, twice or missing.

use super::{environment, told, with};

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
      help: the keys here are budget, on_drift, on_interrupt, parallel, path
    "#);
    insta::assert_snapshot!(with("Lock: { wait: 1s }"), @r#"
    E206 pipeline.yaml:5:1: unknown key `Lock`
      | Lock: { wait: 1s }
      | ^^^^
      help: did you mean `lock`?
    "#);
    insta::assert_snapshot!(with("services:\n  strategy: online\nguard: {}"), @r#"
    E207 pipeline.yaml:6:3: `strategy` is not supported yet
      |   strategy: online
      |   ^^^^^^^^
      help: remove it: this version would not do what it says
    E207 pipeline.yaml:7:1: `guard` is not supported yet
      | guard: {}
      | ^^^^^
      help: remove it: this version would not do what it says
    "#);
    insta::assert_snapshot!(environment("{ database: embedded, strategy: online }"), @r#"
    E207 pipeline.yaml:5:28: `strategy` is not supported yet
      |   x: { database: embedded, strategy: online }
      |                            ^^^^^^^^
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
