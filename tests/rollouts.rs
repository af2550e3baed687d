//! The example of docs/rollouts.md, as a person would follow it: three databases on one server.

use crate::harness::{Client, Project, database, root};

/// The YAML of the page.
fn example() -> String {
    let page = std::fs::read_to_string(root().join("docs/rollouts.md")).expect("docs/rollouts.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    yaml.expect("an example").to_owned()
}

struct Walk {
    project: Project,
    staging: String,
}

fn walk() -> Walk {
    let project = Project::new();
    let keys = project.pgdeploy(&["receipt", "keys", "--format", "json"]).exits(0).json();
    let key = |name: &str| keys[name].as_str().expect("a key").to_owned();
    let staging = database();
    let secrets = project.path().display().to_string();
    project.write("production_url", project.url.as_bytes());
    let project = project
        .variable("DEV_DATABASE_URL", &database())
        .variable("STAGING_DATABASE_URL", &staging)
        .variable("STAGING_RECEIPT_KEY", &key("sign_key"))
        .variable("STAGING_PUBLIC_KEY", &key("public_key"))
        .variable("SECRETS", &secrets)
        .file("pipeline.yaml", &example())
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);");
    Walk { project, staging }
}

impl Walk {
    /// To production; a weekend, or the end of a year, is no reason for a test to fail.
    fn production(&self, more: &[&str]) -> crate::harness::Outcome {
        let plan = self.project.pgdeploy(&["plan", "--env", "production", "--format", "json"]).json();
        let frozen = plan["gates"].as_array().into_iter().flatten();
        let frozen = frozen.filter(|gate| gate["gate"] == "freeze").any(|gate| gate["passes"] == false);
        let emergency: &[&str] = if frozen { &["--override", "freeze", "--reason", "a test"] } else { &[] };
        let deploy = ["deploy", "--env", "production", "--actor", "dave"];
        self.project.pgdeploy(&[&deploy[..], more, emergency].concat())
    }

    fn to(&self, environment: &str) -> crate::harness::Outcome {
        self.project.pgdeploy(&["deploy", "--env", environment, "--actor", "dave"])
    }

    /// A day goes by in staging, and its next deploy, with nothing to do, writes the receipt again.
    fn a_day_later(&self) {
        let mut staging = Client::connect(&self.staging);
        staging.run("UPDATE pgdeploy.deployments SET finished_at = finished_at - interval '25 hours'");
        self.to("staging").exits(0).says("NOTHING TO DO");
    }
}

#[test]
fn the_example_of_the_page_walks_from_dev_to_production() {
    let walk = walk();
    let project = &walk.project;
    walk.to("staging").exits(4).says("E401");
    walk.to("dev").exits(0);
    project.pgdeploy(&["plan", "--env", "production"]).exits(4).says("E404").says("cannot be read");
    walk.to("staging").exits(0);
    walk.production(&[]).exits(4).says("E405").says("also E406").says("one of alice, bob, carol");
    walk.a_day_later();
    let plan = ["plan", "--env", "production", "--out", "plan.json"];
    project.pgdeploy(&plan).exits(0).says("receipts/staging.json, deployment 2 of staging");
    let saved: serde_json::Value =
        serde_json::from_slice(&std::fs::read(project.path().join("plan.json")).expect("a plan"))
            .expect("JSON");
    let hash = &saved["plan"].as_str().expect("a hash")[..6];
    project.pgdeploy(&["ledger", "create", "--env", "production"]).exits(0);
    project.pgdeploy(&["approve", hash, "--env", "production", "--actor", "bob"]).exits(0);
    walk.production(&["--plan", "plan.json"]).exits(0).says("by bob");
    assert!(project.client().is("EXISTS (SELECT FROM pg_indexes WHERE indexname = 'a_b_idx')"));
    walk.production(&[]).exits(0).says("NOTHING TO DO");
}

#[test]
fn production_needs_no_variable_of_staging_and_staging_only_deploys_need_the_key() {
    let walk = walk();
    walk.to("dev").exits(0);
    walk.to("staging").exits(0);
    let unset = walk.project.variable("STAGING_DATABASE_URL", "").variable("STAGING_RECEIPT_KEY", "");
    unset.pgdeploy(&["plan", "--env", "production"]).exits(0);
    let staging = unset.variable("STAGING_DATABASE_URL", &walk.staging);
    staging.pgdeploy(&["status", "--env", "staging"]).exits(0);
    let refused = staging.pgdeploy(&["deploy", "--env", "staging"]).exits(2).says("STAGING_RECEIPT_KEY");
    assert!(refused.stderr.contains("pipeline.yaml:8"), "{}", refused.stderr);
}

#[test]
fn a_receipt_that_was_changed_or_signed_by_another_key_is_refused() {
    let walk = walk();
    walk.to("dev").exits(0);
    walk.to("staging").exits(0);
    walk.a_day_later();
    let path = walk.project.path().join("receipts/staging.json");
    let text = std::fs::read_to_string(&path).expect("a receipt");
    let receipt: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let hash = receipt["files"][0]["sha256"].as_str().expect("a hash");
    // The release has other bytes now, and somebody writes them into the receipt.
    let changed = "CREATE TABLE a (id int PRIMARY KEY, b int, c int);";
    walk.project.write("migrations/0001_a.sql", changed.as_bytes());
    walk.production(&[]).exits(4).says("E401").says("succeeded there with other bytes");
    let forged = text.replace(hash, &"0".repeat(64));
    walk.project.write("receipts/staging.json", forged.as_bytes());
    walk.production(&[]).exits(4).says("E404").says("another key has signed it").says("E405");
    // A key that is not staging's.
    walk.project.write("receipts/staging.json", text.as_bytes());
    let keys = walk.project.pgdeploy(&["receipt", "keys", "--format", "json"]).exits(0).json();
    let other = walk.project.variable("STAGING_PUBLIC_KEY", keys["public_key"].as_str().expect("a key"));
    other.pgdeploy(&["plan", "--env", "production"]).exits(4).says("E404");
    assert!(other.client().is("to_regclass('public.a') IS NULL"));
}

#[test]
fn what_was_taken_back_upstream_is_not_in_its_receipt_any_more() {
    let walk = walk();
    walk.project.write("migrations/0002_c.sql", b"ALTER TABLE a ADD c int;");
    walk.project.write("migrations/0002_c.down.sql", b"ALTER TABLE a DROP COLUMN c;");
    walk.to("dev").exits(0);
    walk.to("staging").exits(0);
    walk.a_day_later();
    let rollback =
        ["rollback", "--to", "1", "--reason", "wrong", "--yes", "--allow-data-loss", "--env", "staging"];
    walk.project.pgdeploy(&rollback).exits(0);
    walk.production(&[]).exits(4).says("E401").says("migrations/0002_c.sql has not succeeded there");
}

#[test]
fn a_receipt_that_cannot_be_written_is_a_warning_and_the_deploy_is_done() {
    let walk = walk();
    walk.to("dev").exits(0);
    walk.project.write("receipts", b"a file where a folder should be");
    walk.to("staging")
        .exits(0)
        .says("W400")
        .says("deploy --env staging (with")
        .says("SUCCEEDED WITH WARNINGS");
    walk.project.remove("receipts");
    walk.to("staging").exits(0);
    assert!(walk.project.path().join("receipts/staging.json").exists());
}

#[test]
fn config_prints_what_takes_effect_and_no_secret() {
    let walk = walk();
    let url = format!("{}&password=canary_password", walk.project.url);
    walk.project.write("production_url", url.as_bytes());
    let shown = walk.project.pgdeploy(&["config", "--env", "production"]).exits(0);
    for part in
        ["duty: \"50%\"", "lock_timeout: \"500ms\"", "soak: \"1day\"", "weekend", "Europe/Paris", "alice"]
    {
        assert!(shown.stdout.contains(part), "{part} in {}", shown.stdout);
    }
    assert!(shown.stdout.contains("production_url") && !shown.stdout.contains("canary"), "{}", shown.stdout);
    let staging = walk.project.pgdeploy(&["config", "--env", "staging", "--format", "json"]).exits(0);
    let json = staging.json();
    assert!(json["environment"]["receipt"]["sign_key"].as_str().expect("a key").starts_with("*** (public: "));
    assert!(!staging.stdout.contains(walk.project.value_of("STAGING_RECEIPT_KEY")), "{}", staging.stdout);
}

#[test]
fn a_gated_environment_is_not_reached_in_clear_over_a_network() {
    let walk = walk();
    for mode in ["disable", "allow"] {
        let url = format!("postgresql://u@db.invalid/d?sslmode={mode}");
        walk.project.write("production_url", url.as_bytes());
        walk.project
            .pgdeploy(&["status", "--env", "production"])
            .exits(2)
            .says("E417")
            .says("sslmode=require");
    }
}

#[test]
fn a_backfill_pauses_at_the_border_of_a_window_and_goes_on_after_it() {
    let project = Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);");
    project.deploy().exits(0);
    let mut client = project.client();
    client.run("INSERT INTO a SELECT n FROM generate_series(1, 3000) n");
    // Slow enough to be at work for some seconds: twenty rows a batch, and a pause after each.
    project.write("backfills/0001_b.sql", b"UPDATE a SET b = 1 WHERE b IS NULL;");
    let mut wall = |seconds: i64| {
        client.text(&format!(
            "to_char(now() AT TIME ZONE 'UTC' + interval '{seconds} s', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        ))
    };
    let (from, to) = (wall(3), wall(6));
    let text = format!(
        "version: 1
name: test
environments:
  prod:
    database: \"${{TEST_URL}}\"
    freeze: [ {{ name: lunch, from: {from}, to: {to}, timezone: UTC, stages: [backfill] }} ]
stages: {{ backfill: {{ batch_size: 20, min_batch: 20, max_batch: 20, pause: 40ms }} }}
"
    );
    let project = project.file("pipeline.yaml", &text);
    let outcome = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
    let events = outcome.events();
    let place = |name: &str| events.iter().position(|event| event["event"] == name);
    let (paused, on) =
        (place("backfills.paused").expect("a pause"), place("backfills.go_on").expect("its end"));
    assert!(paused < on, "{events:?}");
    assert!(events[paused]["reason"].as_str().expect("words").contains("lunch denies"));
    let ended = events[on]["ts"].as_str().expect("a time");
    assert!(ended >= to.as_str(), "went on at {ended}, before {to}");
    assert_eq!(project.client().number("count(*) FROM a WHERE b IS NULL"), 0);
    assert_eq!(project.client().number("count(*) FROM pgdeploy.succeeded_files WHERE stage = 'backfill'"), 1);
}

#[test]
fn a_hold_stops_a_backfill_that_is_at_work_and_lifting_it_lets_it_go_on() {
    let project = Project::new()
        .pipeline("stages: { backfill: { batch_size: 20, min_batch: 20, max_batch: 20, pause: 40ms, budget: 0s } }\n")
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);");
    project.deploy().exits(0);
    let mut client = project.client();
    client.run("INSERT INTO a SELECT n FROM generate_series(1, 3000) n");
    project.write("backfills/0001_b.sql", b"UPDATE a SET b = 1 WHERE b IS NULL;");
    let output = project.path().join("lines.jsonl");
    let running = project.start_into(&["backfill", "run", "--format", "jsonl"], &output);
    let said = |what: &str| std::fs::read_to_string(&output).is_ok_and(|text| text.contains(what));
    crate::harness::until("it is at work", || client.is("EXISTS (SELECT FROM a WHERE b = 1)"));
    project.pgdeploy(&["hold", "add", "--reason", "incident-42", "--actor", "alice"]).exits(0);
    crate::harness::until("it is paused", || said("backfills.paused"));
    let left = client.number("count(*) FROM a WHERE b IS NULL");
    assert!(left > 0);
    project.pgdeploy(&["hold", "lift", "1"]).exits(0);
    assert_eq!(client.number("count(*) FROM a WHERE b IS NULL"), left, "nothing was done in between");
    assert_eq!(running.wait().code, Some(0));
    assert!(said("backfills.go_on"));
    assert_eq!(client.number("count(*) FROM a WHERE b IS NULL"), 0);
}

#[test]
fn behind_gates_a_backfill_is_not_run_before_a_deploy_of_its_release() {
    let walk = walk();
    walk.project.write("backfills/0001_b.sql", b"UPDATE a SET b = 1 WHERE b IS NULL;");
    let run = |environment: &str| walk.project.pgdeploy(&["backfill", "run", "--env", environment]);
    walk.to("dev").exits(0);
    run("dev").exits(0);
    walk.project.client().run("CREATE TABLE a (id int PRIMARY KEY, b int)");
    run("production").exits(4).says("E418");
}
