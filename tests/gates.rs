//! What else has to be true before a deploy: soak, approvals, windows, holds; and how people override one of them.

mod approvals;
mod holds;
mod saved_plans;

use crate::harness::{Outcome, Project, database};

/// staging -> production, where production has these gates.
fn behind(gates: &str) -> Project {
    let project = Project::new()
        .variable("STAGING_URL", &database())
        .file(
            "pipeline.yaml",
            &format!(
                "version: 1
name: test
environments:
  staging: {{ database: \"${{STAGING_URL}}\" }}
  production:
    database: \"${{TEST_URL}}\"
    after: [staging]
{gates}"
            ),
        )
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    project.pgdeploy(&["deploy", "--env", "staging", "--actor", "alice"]).exits(0);
    project.pgdeploy(&["ledger", "create", "--env", "production"]).exits(0).says("READY");
    project
}

const ALWAYS: &str = "{ name: always, deny: \"* * * * *\", for: 1h, timezone: Europe/Paris }";

fn deploy(project: &Project, more: &[&str]) -> Outcome {
    project.pgdeploy(&[&["deploy", "--env", "production"], more].concat())
}

fn plan(project: &Project) -> String {
    let plan = project.pgdeploy(&["plan", "--env", "production", "--format", "json"]).exits(0).json();
    plan["plan"].as_str().expect("a hash").to_owned()
}

/// Nothing of ours is in production.
fn is_untouched(project: &Project) {
    let mut client = project.client();
    assert!(client.is("to_regclass('public.a') IS NULL"), "the schema has not changed");
}

#[test]
fn a_soak_that_is_too_short_is_refused_with_the_earliest_time_and_passes_when_it_is_over() {
    let project = behind("    soak: 24h\n");
    let refused = deploy(&project, &[]).exits(4).says("E405").says("has to be in staging for 1day");
    assert!(refused.stdout.contains("earliest: 20"), "{}", refused.stdout);
    assert!(refused.stdout.contains("migrations/0001_a.sql succeeded in staging at"), "{}", refused.stdout);
    is_untouched(&project);
    let mut staging = crate::harness::Client::connect(&staging_url(&project));
    staging.run("UPDATE pgdeploy.deployments SET finished_at = finished_at - interval '25 hours'");
    deploy(&project, &[]).exits(0).says("in staging since");
}

fn staging_url(project: &Project) -> String {
    project.value_of("STAGING_URL").to_owned()
}

#[test]
fn a_deploy_that_failed_upstream_has_shown_nothing_even_for_files_that_are_in() {
    let project = behind("");
    let mut staging = crate::harness::Client::connect(&staging_url(&project));
    staging.run("UPDATE pgdeploy.deployments SET status = 'failed'");
    deploy(&project, &[]).exits(4).says("E401").says("no deploy with it has ended well");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    deploy(&project, &[]).exits(0);
}

#[test]
fn a_freeze_is_refused_with_the_window_and_its_end() {
    let year = "{ name: years, from: 2020-01-01, to: 2199-01-01, timezone: America/New_York }";
    let project = behind(&format!("    freeze: [ {year} ]\n"));
    deploy(&project, &[])
        .exits(4)
        .says("E407")
        .says("years denies")
        .says("earliest: 2199-01-02 05:00:00 UTC");
    is_untouched(&project);
    let never = behind(
        "    freeze: [ { allow: \"0 0 29 2 *\", for: 1m, timezone: UTC }, { allow: \"0 0 1 1 *\", for: 1m, timezone: UTC } ]\n",
    );
    deploy(&never, &[]).exits(4).says("would allow").says("earliest: ");
}

#[test]
fn a_freeze_of_backfills_lets_the_rest_through_and_they_resume_later() {
    let project = behind(&format!("    freeze: [ {} ]\n", ALWAYS.replace("}", ", stages: [backfill] }")));
    deploy(&project, &[]).exits(0).says("W401").says("always denies");
    assert!(project.client().is("EXISTS (SELECT FROM pg_indexes WHERE indexname = 'a_b_idx')"));
    // What has not run has not succeeded here.
    assert!(
        project.client().is("NOT EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')")
    );
    deploy(&project, &[]).exits(4).says("E407");
}

#[test]
fn an_override_needs_a_reason_and_the_environments_leave_and_skips_one_gate_only() {
    let project =
        behind(&format!("    soak: 24h\n    freeze: [ {ALWAYS} ]\n    overrides: [soak, freeze]\n"));
    deploy(&project, &["--override", "soak"]).exits(2).says("--reason");
    deploy(&project, &["--override", "soaking", "--reason", "x"]).exits(2).says("the gates are");
    deploy(&project, &["--override", "hold", "--reason", "x"])
        .exits(4)
        .says("E409")
        .says("it allows soak, freeze");
    let refused = deploy(&project, &["--override", "soak", "--reason", "hotfix"]).exits(4).says("E407");
    assert!(!refused.stdout.contains("E405"), "{}", refused.stdout);
    deploy(&project, &["--override", "freeze", "--reason", "hotfix"]).exits(4).says("E405");
    is_untouched(&project);
    let both = deploy(&project, &[]).exits(4).says("E405").says("also E407");
    assert!(both.stdout.contains("--override soak --reason TEXT"), "{}", both.stdout);
}

#[test]
fn an_override_is_recorded_with_who_and_why_and_is_a_warning() {
    let project = behind("    soak: 24h\n    overrides: [soak]\n");
    deploy(
        &project,
        &["--override", "soak", "--reason", "incident-42", "--actor", "alice", "--detailed-exitcode"],
    )
    .exits(3)
    .says("W402")
    .says("incident-42");
    let mut client = project.client();
    let text = "(SELECT body ->> 'answer' || ' ' || (body ->> 'reason') FROM pgdeploy.journal WHERE event = 'deploy.gate' AND body ->> 'gate' = 'soak')";
    assert_eq!(client.text(text), "overridden incident-42");
    assert_eq!(client.text("(SELECT actor FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1)"), "alice");
}

#[test]
fn plan_shows_every_gate_before_anybody_has_agreed() {
    let project = behind(&format!("    soak: 24h\n    approvals: {{}}\n    freeze: [ {ALWAYS} ]\n"));
    let plan = project.pgdeploy(&["plan", "--env", "production", "--actor", "carol"]).exits(0);
    for code in ["promotion  passes", "E405", "E406", "E407", "hold       passes"] {
        assert!(plan.stdout.contains(code), "{code} in {}", plan.stdout);
    }
    let json = project.pgdeploy(&["plan", "--env", "production", "--format", "json"]).exits(0).json();
    assert_eq!(json["gates"][1]["gate"], "soak");
    assert_eq!(json["gates"][1]["passes"], false);
    assert!(json["gates"][1]["earliest"].as_str().expect("a time").ends_with("UTC"));
}
