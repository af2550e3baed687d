//! Environments, databases and references.

use std::path::Path;

use pgdeploy_pipeline as pipeline;

use super::{REST, environment, with};

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
