//! What a valid pipeline.yaml means: defaults, overrides, references, secrets.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use pgdeploy_pipeline::{self as pipeline, Command, Database, Environment, Pipeline, parse};
use secrecy::ExposeSecret;

const SMALLEST: &str = r#"
version: 1
name: crm
environments:
  dev: { database: embedded }
  production: { database: "${PRODUCTION_DATABASE_URL}", after: [dev] }
"#;

const FULL: &str = include_str!("full.yaml");

fn pipeline(text: &str) -> Pipeline {
    parse(text, Path::new("crm/pipeline.yaml")).unwrap()
}

fn nothing_set(_: &str) -> Option<String> {
    None
}

fn url(environment: &Environment) -> &str {
    match &environment.database {
        Database::Url(url) => url.expose_secret(),
        Database::Embedded => "embedded",
    }
}

#[test]
fn the_smallest_pipeline_has_the_documented_defaults() {
    let pipeline = pipeline(SMALLEST);
    assert_eq!((pipeline.name(), pipeline.ledger_schema()), ("crm", "pgdeploy"));
    assert_eq!(pipeline.base_dir(), Path::new("crm"));
    let dev = pipeline.environment("dev", &nothing_set).unwrap();
    insta::assert_snapshot!(dev.effective_without_secrets(), @r#"
    {"backfill":{"batch_size":200,"budget":"20m","duty":"100%","idle_in_transaction_session_timeout":"2m","lock_timeout":"1m","max_batch":20000,"min_batch":50,"path":"backfills","pause":"0s","progress_every":10,"statement_timeout":"2m","target":"20ms","throttle":{"active_sessions":null,"archiver":true,"blocked_sessions":"1s","congestion":true,"longest_transaction":"5m","missing_replicas":true,"replica_lag":"10s","rows_per_second":null,"wal_per_second":null},"workers":1},"connect":{"initial":"250ms","max":"5s","wait":"1m"},"fixtures":null,"index":{"budget":"2h","on_drift":"warn","on_interrupt":"detach","parallel":2,"path":"indexes"},"ledger_schema":"pgdeploy","lock":{"wait":"0s"},"name":"crm","schema":{"kill_blockers":null,"lock_timeout":"500ms","path":"migrations","retry_for":"5m","role":null,"search_path":null,"snapshot":"schema.sql","statement_timeout":"15m","when_empty":"migrate","when_unmanaged":"refuse"},"services":null,"version":1}
    "#);
}

#[test]
fn the_full_pipeline_shows_nothing_but_the_defaults() {
    let (full, smallest) = (pipeline(FULL), pipeline(SMALLEST));
    assert_eq!(full.settings(&nothing_set), smallest.settings(&nothing_set));
    assert_eq!((full.connect(), full.lock()), (smallest.connect(), smallest.lock()));
    assert_eq!(full.ledger_schema(), smallest.ledger_schema());
}

#[test]
fn services_are_read_with_their_references() {
    let staging = |name: &str| (name == "STAGING_DATABASE_URL").then(|| "postgres://h/d".to_owned());
    let services = pipeline(FULL).environment("staging", &staging).unwrap().services.unwrap();
    let run = ["docker", "compose", "stop", "web"].map(str::to_owned).to_vec();
    assert_eq!(services.stop, Some(Command { run, timeout: Duration::from_secs(60) }));
    assert_eq!(services.start.unwrap().timeout, Duration::from_secs(120));
}

#[test]
fn an_environment_overrides_single_settings_of_the_stages() {
    let text = "version: 1\nname: crm\nstages: { backfill: { batch_size: 300, pause: 1s } }\n\
        environments: { dev: { database: embedded, stages: { backfill: { batch_size: 400 } } } }";
    let pipeline = pipeline(text);
    let dev = pipeline.environment("dev", &nothing_set).unwrap();
    assert_eq!((dev.backfill.batch_size, dev.backfill.pause), (400, Duration::from_secs(1)));
    assert_eq!(pipeline.settings(&nothing_set).unwrap().backfill.batch_size, 300);
}

#[test]
fn dev_works_without_the_variables_of_production() {
    let pipeline = pipeline(SMALLEST);
    assert!(matches!(pipeline.environment("dev", &nothing_set).unwrap().database, Database::Embedded));
    let error = pipeline.environment("production", &nothing_set).unwrap_err();
    insta::assert_snapshot!(error, @"E269 crm/pipeline.yaml:6:28: `PRODUCTION_DATABASE_URL` is not set");
    insta::assert_snapshot!(error.problems[0].help.as_deref().unwrap(), @"set it for this command: `export PRODUCTION_DATABASE_URL=...`");
    let set = |name: &str| Some(format!("postgres://{}/d", name.to_lowercase()));
    assert_eq!(
        url(&pipeline.environment("production", &set).unwrap()),
        "postgres://production_database_url/d"
    );
}

#[test]
fn fixtures_belong_to_the_embedded_database() {
    let fixtures = pipeline(FULL).environment("dev", &nothing_set).unwrap().fixtures.unwrap();
    assert_eq!((fixtures.after, fixtures.sql), (3, PathBuf::from("tests/fixtures/crm.sql")));
}

#[test]
fn without_a_name_the_only_environment_or_an_embedded_dev_is_taken() {
    assert_eq!(pipeline(SMALLEST).default_environment().unwrap(), "dev");
    let only = "version: 1\nname: a\nenvironments: { production: { database: \"${DB}\" } }";
    assert_eq!(pipeline(only).default_environment().unwrap(), "production");
    let real_dev = "version: 1\nname: a\nenvironments: { dev: { database: \"${A}\" }, production: { database: \"${B}\" } }";
    let error = pipeline(real_dev).default_environment().unwrap_err();
    assert_eq!(error.problems[0].help.as_deref(), Some("say which with --env: dev, production"));
    let unknown = pipeline(SMALLEST).environment("prodution", &nothing_set).unwrap_err();
    assert_eq!(unknown.problems[0].help.as_deref(), Some("did you mean `production`?"));
}

#[test]
fn environments_are_listed_in_the_order_of_the_file() {
    let pipeline = pipeline(FULL);
    let listed: Vec<_> = pipeline.environments().map(|one| (one.name, one.embedded, one.gated)).collect();
    assert_eq!(listed, [("dev", true, false), ("staging", false, true), ("production", false, true)]);
}

#[test]
fn a_url_comes_from_a_file_or_a_command() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("url"), "postgresql://u:p@h/d\n").unwrap();
    let text = "version: 1\nname: a\nenvironments:\n  \
        file: { database: { url_file: \"${PLACE:-url}\" } }\n  \
        command: { database: { url_command: [cat, url] } }\n  \
        failing: { database: { url_command: [sh, -c, 'cat url; echo no access >&2; exit 4'] } }\n  \
        missing: { database: { url_file: nowhere } }\n  \
        nonsense: { database: { url_command: [echo, canary] } }\n";
    let path = base.path().join("pipeline.yaml");
    std::fs::write(&path, text).unwrap();
    let pipeline = pipeline::load(&path).unwrap();
    for name in ["file", "command"] {
        assert_eq!(url(&pipeline.environment(name, &nothing_set).unwrap()), "postgresql://u:p@h/d");
    }
    let told = |name: &str| pipeline.environment(name, &nothing_set).unwrap_err().problems[0].message.clone();
    assert_eq!(told("failing"), "`sh` failed with exit status: 4: no access");
    assert!(told("missing").ends_with("nowhere cannot be read: No such file or directory (os error 2)"));
    assert_eq!(told("nonsense"), "what `echo` printed does not start with postgres://");
}

#[test]
fn a_secret_is_in_no_output() {
    let text = "version: 1\nname: a\nenvironments:\n  \
        literal: { database: \"postgres://u:canary@h/d\" }\n  \
        default: { database: \"${A:-postgres://u:canary@h/d?password=canary}\" }\n  \
        variable: { database: \"${SECRET}\" }\nservices: { stop: { run: [stop, \"--token=${SECRET}\"] } }\n";
    let secret = |name: &str| (name == "SECRET").then(|| "postgres://u:canary@h/d".to_owned());
    let pipeline = pipeline(text);
    for name in ["literal", "default", "variable"] {
        let environment = pipeline.environment(name, &secret).unwrap();
        assert!(url(&environment).contains("canary"), "{name} resolves");
        let seen = format!("{environment:?} {} {pipeline:?}", environment.effective_without_secrets());
        assert!(!seen.contains("canary"), "{seen}");
    }
    let wrong = |_: &str| Some("canary://u:canary@h".to_owned());
    let broken = text.replace("database:", "databse:");
    let errors =
        [pipeline.environment("variable", &wrong).unwrap_err(), parse(&broken, Path::new("p")).unwrap_err()];
    for error in errors {
        let texts: Vec<&str> = error.problems.iter().map(|problem| &*problem.text).collect();
        let seen = format!("{error} {error:?} {texts:?}");
        assert!(!seen.contains("canary"), "{seen}");
    }
}

/// The first window of an environment, and whether it is at a moment.
fn frozen(window: &str, at: &str) -> bool {
    let text = format!(
        "version: 1\nname: crm\nenvironments:\n  p: {{ database: embedded, freeze: [ {{ {window} }} ] }}\n"
    );
    let environment = pipeline(&text).environment("p", &nothing_set).unwrap();
    environment.gates.windows[0].covers(at.parse().unwrap())
}

#[test]
fn a_freeze_holds_through_the_end_of_the_day_that_it_ends_on() {
    let week = "from: 2026-11-16, to: 2026-11-21, timezone: UTC";
    assert!(!frozen(week, "2026-11-15T23:59:59Z") && frozen(week, "2026-11-16T00:00:00Z"));
    assert!(frozen(week, "2026-11-21T00:00:00Z") && frozen(week, "2026-11-21T23:59:59Z"));
    assert!(!frozen(week, "2026-11-22T00:00:00Z"));
    let day = "from: 2026-12-24, to: 2026-12-24, timezone: Europe/Paris";
    assert!(!frozen(day, "2026-12-23T22:59:59Z") && frozen(day, "2026-12-23T23:00:00Z"));
    assert!(frozen(day, "2026-12-24T22:59:59Z") && !frozen(day, "2026-12-24T23:00:00Z"));
    // A time that is written is the moment at which it ends.
    let hours = "from: 2026-12-24T08:00, to: 2026-12-24T18:00, timezone: EST5EDT";
    assert!(frozen(hours, "2026-12-24T22:59:59Z") && !frozen(hours, "2026-12-24T23:00:00Z"));
    let until_midnight = "from: 2026-12-24, to: 2026-12-25T00:00, timezone: CET";
    assert!(
        frozen(until_midnight, "2026-12-24T22:59:59Z") && !frozen(until_midnight, "2026-12-24T23:00:00Z")
    );
}

#[test]
fn the_password_that_the_driver_takes_from_the_surroundings_is_a_secret() {
    let set = |name: &str| match name {
        "PRODUCTION_DATABASE_URL" => Some("postgres://u@h/d".to_owned()),
        "PGPASSWORD" => Some("p w".to_owned()),
        _ => None,
    };
    let production = pipeline(SMALLEST).environment("production", &set).unwrap();
    assert_eq!(production.secrets.redact("login with p w, and p%20w"), "login with ***, and ***");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let pipeline = pipeline(&format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n")));
    assert_eq!(pipeline.environments().count(), 2);
}
