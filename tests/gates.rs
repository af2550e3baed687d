//! What else has to be true before a deploy: soak, approvals, windows, holds; and how people override one of them.

use rustix::process::Signal;

use crate::harness::{Outcome, Project, database, until};

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
fn an_approval_is_bound_to_the_plan_and_void_when_the_plan_changes() {
    let project = behind("    approvals: { required: 1 }\n");
    deploy(&project, &["--actor", "carol"]).exits(4).says("E406").says("0 of 1").says("pgdeploy approve");
    is_untouched(&project);
    let hash = plan(&project);
    let approve =
        |hash: &str, who: &str| project.pgdeploy(&["approve", hash, "--env", "production", "--actor", who]);
    approve("000000", "bob").exits(4).says("E422");
    approve(&hash[..5], "bob").exits(4).says("too short");
    approve(&hash[..8], "bob").exits(0).says("APPROVED").says("--actor");
    project.write("migrations/0002_more.sql", b"CREATE TABLE more (id int PRIMARY KEY);");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(4).says("E406").says("does not count: it is for the plan");
    approve(&plan(&project), "bob").exits(0);
    project
        .pgdeploy(&["approvals", "list", "--env", "production"])
        .exits(0)
        .says("counts")
        .says("is for the plan");
    deploy(&project, &["--actor", "carol"]).exits(0).says("by bob");
    deploy(&project, &["--actor", "carol"]).exits(0).says("NOTHING TO DO");
}

#[test]
fn nobody_approves_what_they_deploy_or_have_written_and_only_those_named_approve() {
    let project = behind("    approvals: { from: [alice, bob, carol] }\n");
    let git = |arguments: &[&str]| {
        let run = std::process::Command::new("git").arg("-C").arg(project.path()).args(arguments).output();
        assert!(run.expect("git").status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["-c", "user.name=Alice Smith", "-c", "user.email=alice@example.com", "commit", "-qm", "release"]);
    let hash = plan(&project);
    let approve = |who: &str| project.pgdeploy(&["approve", &hash, "--env", "production", "--actor", who]);
    approve("alice").exits(4).says("E423").says("alice made the release: alice@example.com");
    approve("eve").exits(4).says("E423").says("eve is not one of alice, bob, carol");
    approve("bob").exits(0);
    deploy(&project, &["--actor", "bob"]).exits(4).says("bob is the one who deploys").says("one of carol");
    deploy(&project, &["--actor", "ci"]).exits(0).says("by bob");
    let recorded = project
        .client()
        .text("(SELECT approver || ' ' || approver_source || ' ' || environment FROM pgdeploy.approvals)");
    assert_eq!(recorded, "bob --actor production");
}

/// Runs git as somebody.
fn git(directory: &std::path::Path, who: &str, arguments: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.arg("-C").arg(directory).args(["-c", &format!("user.name={who}")]);
    command.args(["-c", &format!("user.email={who}@example.com")]).args(arguments);
    let run = command.output().expect("git");
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn in_a_shallow_clone_who_wrote_a_file_is_not_known_and_no_approval_counts() {
    let project = behind("    approvals: { required: 1 }\n");
    let path = project.path();
    git(path, "alice", &["init", "-q", "-b", "main"]);
    git(path, "alice", &["commit", "-qm", "first", "--allow-empty"]);
    git(path, "alice", &["add", "."]);
    git(path, "alice", &["commit", "-qm", "release"]);
    git(path, "alice", &["commit", "-qm", "more", "--allow-empty"]);
    git(path, "mallory", &["checkout", "-qb", "c"]);
    project.write("migrations/0002_c.sql", b"ALTER TABLE a ADD c int;");
    git(path, "mallory", &["add", "."]);
    git(path, "mallory", &["commit", "-qm", "c"]);
    git(path, "bob", &["checkout", "-q", "main"]);
    git(path, "bob", &["merge", "-q", "--no-ff", "-m", "merge", "c"]);
    project.pgdeploy(&["deploy", "--env", "staging", "--actor", "carol"]).exits(0);
    let hash = plan(&project);
    let (clone, deep) = (path.join("clone"), path.join("deep"));
    let url = format!("file://{}", path.display());
    for (directory, depth) in [(&clone, "1"), (&deep, "3")] {
        let to = directory.display().to_string();
        git(path, "bob", &["clone", "-q", "--depth", depth, &url, &to]);
    }
    let within = |directory: &std::path::Path, arguments: &[&str]| {
        let config = directory.join("pipeline.yaml").display().to_string();
        project.pgdeploy(&[&["--config", &config], arguments].concat())
    };
    let approve = |directory: &std::path::Path, who: &str| {
        within(directory, &["approve", &hash, "--env", "production", "--actor", who])
    };
    approve(path, "mallory").exits(4).says("E423").says("mallory made the release");
    for who in ["mallory", "bob"] {
        let refused = approve(&clone, who).exits(4).says("E423").says("this is a shallow clone");
        refused.says("git fetch --unshallow").says("who wrote ");
    }
    // A little deeper the last file is known, and what was there before is not.
    approve(&deep, "mallory").exits(4).says("E423").says("mallory made the release");
    approve(&deep, "bob").exits(4).says("E423").says("who wrote ").says("this is a shallow clone");
    approve(path, "bob").exits(0);
    let deploy = ["deploy", "--env", "production", "--actor", "ci"];
    within(&clone, &deploy).exits(4).says("E406").says("cannot be judged").says("git fetch --unshallow");
    is_untouched(&project);
    within(&clone, &["approvals", "list", "--env", "production"]).exits(0).says("this is a shallow clone");
    git(&clone, "bob", &["fetch", "-q", "--unshallow"]);
    approve(&clone, "mallory").exits(4).says("mallory made the release");
    within(&clone, &deploy).exits(0).says("by bob");
    // What is in already nobody approves again: who wrote it does not matter, as deep as the clone goes.
    project.write("migrations/0003_d.sql", b"ALTER TABLE a ADD d int;");
    git(path, "mallory", &["add", "migrations"]);
    git(path, "mallory", &["commit", "-qm", "d"]);
    git(&deep, "bob", &["pull", "-q"]);
    project.pgdeploy(&["deploy", "--env", "staging", "--actor", "carol"]).exits(0);
    let hash = plan(&project);
    let approve = |who: &str| within(&deep, &["approve", &hash, "--env", "production", "--actor", who]);
    approve("mallory").exits(4).says("mallory made the release");
    approve("bob").exits(0);
}

#[test]
fn a_history_that_git_will_not_read_is_no_missing_one() {
    let project = behind("    approvals: { required: 1 }\n");
    git(project.path(), "alice", &["init", "-q", "-b", "main"]);
    git(project.path(), "alice", &["add", "."]);
    git(project.path(), "alice", &["commit", "-qm", "release"]);
    let hash = plan(&project);
    project.write(".git/HEAD", b"ref: refs/heads/gone\n");
    let approve = ["approve", &hash, "--env", "production", "--actor", "alice"];
    project.pgdeploy(&approve).exits(4).says("E423").says("git cannot read the history");
}

#[test]
fn a_revoked_and_an_expired_approval_do_not_count() {
    let project = behind("    approvals: { valid_for: 1h }\n");
    let hash = plan(&project);
    project.pgdeploy(&["approve", &hash, "--env", "production", "--actor", "bob"]).exits(0);
    let revoke =
        ["approvals", "revoke", "1", "--reason", "found a bug", "--env", "production", "--actor", "dan"];
    project.pgdeploy(&revoke).exits(0);
    project.pgdeploy(&revoke).exits(2).says("E424");
    deploy(&project, &["--actor", "carol"]).exits(4).says("it was revoked by dan");
    project.pgdeploy(&["approve", &hash, "--env", "production", "--actor", "bob"]).exits(0);
    project
        .client()
        .run("UPDATE pgdeploy.approvals SET expires_at = now() - interval '1 second' WHERE number = 2");
    deploy(&project, &["--actor", "carol"]).exits(4).says("it expired at");
    is_untouched(&project);
}

#[test]
fn an_interrupted_deploy_goes_on_under_its_approval_and_a_new_release_does_not() {
    let project = behind("    approvals: { required: 1 }\n");
    project.write("migrations/0002_c.sql", b"ALTER TABLE a ADD c int;");
    project.write("migrations/0003_d.sql", b"CREATE TABLE d (id int PRIMARY KEY);");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    // In production something is in the way that is not in staging.
    project.client().run("CREATE TABLE d (id int)");
    project
        .pgdeploy(&["baseline", "--none", "--reason", "d is a leftover", "--env", "production", "--yes"])
        .exits(0);
    project.pgdeploy(&["approve", &plan(&project), "--env", "production", "--actor", "bob"]).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(1).says("0003_d");
    project.client().run("DROP TABLE d");
    deploy(&project, &["--actor", "carol"]).exits(0).says("by bob");
    project.write("migrations/0004_e.sql", b"CREATE TABLE e (id int PRIMARY KEY);");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(4).says("E406");
}

const ALWAYS: &str = "{ name: always, deny: \"* * * * *\", for: 1h, timezone: Europe/Paris }";

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
fn a_hold_stops_everything_until_it_is_lifted() {
    let project = behind("");
    let hold = |arguments: &[&str]| {
        project.pgdeploy(&[&["hold"], arguments, &["--env", "production", "--actor", "alice"]].concat())
    };
    hold(&["add", "--reason", "incident-42"]).exits(0).says("hold 1");
    deploy(&project, &[]).exits(4).says("E408").says("production is on hold: incident-42").says("by alice");
    is_untouched(&project);
    hold(&["add", "--reason", "later", "--until", "2h"]).exits(0);
    project
        .pgdeploy(&["hold", "list", "--env", "production"])
        .exits(0)
        .says("on      hold 2")
        .says("incident-42");
    project.pgdeploy(&["status", "--env", "production"]).exits(0).says("on hold").says("incident-42");
    hold(&["lift", "1", "7"]).exits(2).says("E424").says("no hold 7 that is on; none was lifted");
    hold(&["lift", "1", "--reason", "over"]).exits(0);
    deploy(&project, &[]).exits(4).says("later").says("earliest: ");
    project.client().run("UPDATE pgdeploy.holds SET until = now() WHERE number = 2");
    deploy(&project, &[]).exits(0);
    hold(&["add", "--reason", "again"]).exits(0);
    // Nothing is to be done: a container that starts again during an incident starts.
    deploy(&project, &[]).exits(0).says("NOTHING TO DO");
}

#[test]
fn what_a_hold_refuses_has_not_touched_the_ledger() {
    let project = Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);");
    project.deploy().exits(0);
    let project = project.file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);");
    project.pgdeploy(&["hold", "add", "--reason", "incident-42"]).exits(0);
    project.deploy().exits(4).says("E408");
    assert!(
        project.client().is("to_regclass('pgdeploy.index_builds') IS NULL"),
        "the first index has no table yet"
    );
    project.pgdeploy(&["hold", "lift", "1"]).exits(0);
    project.deploy().exits(0).says("SUCCEEDED");
    assert!(project.client().is("to_regclass('pgdeploy.index_builds') IS NOT NULL"));
}

#[test]
fn a_hold_and_a_pause_from_another_checkout_do_not_wait_for_a_running_deploy() {
    let project = Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    project.deploy().exits(0);
    let project = project.file(
        "migrations/0002_slow.sql",
        "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nSELECT pg_sleep(60);",
    );
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the deploy is at work", || {
        client.is(
            "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' \
                   AND application_name = 'pgdeploy/schema' AND datname = current_database())",
        )
    });

    // Whoever has the button may be ahead of what is deployed.
    let ahead = Project::at(project.value_of("TEST_URL"))
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);");
    ahead.pgdeploy(&["hold", "add", "--reason", "incident-42"]).exits(0).says("hold 1");
    ahead.pgdeploy(&["backfill", "pause", "0001_b"]).exits(2).says("is done");
    running.signal(Signal::TERM);
    running.wait().exits(143);
}

#[test]
fn an_application_starts_while_a_gate_keeps_back_what_it_can_go_without() {
    let project = behind("");
    project.remove("backfills/0001_b.sql");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    deploy(&project, &[]).exits(0);
    let project = project.file("backfills/0002_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    let hold = ["hold", "add", "--env", "production", "--reason", "incident-42"];
    project.pgdeploy(&hold).exits(0);
    deploy(&project, &[]).exits(4).says("E401").says("also E408");
    let run = ["run", "--env", "production", "--", "echo", "up"];
    let started = project.pgdeploy(&run).exits(0);
    assert_eq!(started.stdout, "up\n");
    assert!(started.stderr.contains("W401 the backfill stage was left out"), "{}", started.stderr);
    assert!(started.stderr.contains("incident-42"), "{}", started.stderr);
    let nothing = "NOT EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')";
    assert!(project.client().is(nothing));
    let project = project.file("migrations/0002_c.sql", "ALTER TABLE a ADD c int;");
    project.pgdeploy(&run).exits(4);
}

#[test]
fn what_is_approved_is_not_approved_any_more_once_it_was_taken_back() {
    let project = behind("    approvals: { required: 1 }\n")
        .file("migrations/0002_c.sql", "ALTER TABLE a ADD c int;")
        .file("migrations/0002_c.down.sql", "ALTER TABLE a DROP COLUMN c;");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    project.pgdeploy(&["approve", &plan(&project), "--env", "production", "--actor", "bob"]).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(0);
    let rollback =
        ["rollback", "--to", "1", "--reason", "wrong", "--yes", "--allow-data-loss", "--env", "production"];
    project.pgdeploy(&rollback).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(4).says("E406").says("came before a rollback");
}

#[test]
fn a_name_with_an_at_sign_is_the_same_person() {
    let project = behind("    approvals: { required: 2 }\n");
    let hash = plan(&project);
    for who in ["@bob", "@bob", "Bob", ""] {
        let approve = ["approve", &hash, "--env", "production", "--actor", who];
        assert!(who.is_empty() || project.pgdeploy(&approve).exits(0).stdout.contains(who));
    }
    deploy(&project, &["--actor", "@bob"]).exits(4).says("0 of 2");
    deploy(&project, &["--actor", "carol"]).exits(4).says("1 of 2");
}

#[test]
fn who_approves_needs_no_more_than_what_the_ledger_gives_them() {
    let project = behind("    approvals: { required: 1 }\n");
    project.remove("indexes/a.sql");
    project.remove("backfills/0001_b.sql");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    let mut client = project.client();
    let role = format!("approver_{}", client.text("current_database()"));
    client.run(&format!("CREATE ROLE \"{role}\" LOGIN; DROP SCHEMA pgdeploy CASCADE"));
    let hash = plan(&project);
    let as_approver = |arguments: &[&str]| {
        let url = project.url.replace("user=postgres", &format!("user={role}"));
        project.pgdeploy_with(
            &[arguments, &["--env", "production", "--actor", "bob"]].concat(),
            "TEST_URL",
            &url,
        )
    };
    as_approver(&["approve", &hash]).exits(2).says("E425").says("pgdeploy ledger create --env production");
    as_approver(&["hold", "add", "--reason", "x"]).exits(2).says("E425");
    let create = ["ledger", "create", "--env", "production", "--approver", &role];
    project.pgdeploy(&create).exits(0).says("GRANT INSERT, UPDATE");
    project.pgdeploy(&create).exits(0);
    as_approver(&["hold", "add", "--reason", "x"]).exits(0);
    as_approver(&["hold", "lift", "1"]).exits(0);
    as_approver(&["approve", &hash]).exits(0);
    deploy(&project, &["--actor", "carol"]).exits(0).says("by bob");
}

#[test]
fn a_hold_of_another_release_stops_nothing_and_one_of_a_backfill_stops_that_one() {
    let project = behind("");
    let hold = |arguments: &[&str]| {
        project
            .pgdeploy(&[&["hold", "add", "--reason", "wrong"], arguments, &["--env", "production"]].concat())
    };
    hold(&["--release", "000000"]).exits(0);
    hold(&["--backfill", "0001_b"]).exits(0);
    hold(&["--release", "xyz"]).exits(2);
    hold(&["--backfill", "0001_c"]).exits(2).says("0001_b");
    deploy(&project, &[]).exits(0).says("W403").says("0001_b is on hold");
    assert!(
        project.client().is("NOT EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')")
    );
    project.pgdeploy(&["hold", "lift", "2", "--env", "production"]).exits(0);
    deploy(&project, &[]).exits(0).says("SUCCEEDED");
    assert!(project.client().is("EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')"));
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
fn a_saved_plan_is_run_exactly_or_not_at_all() {
    let project = behind("");
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    let project = project.file("services.sh", "").file("elsewhere.json", "{}");
    deploy(&project, &["--plan", "elsewhere.json"]).exits(2).says("E421");
    deploy(&project, &["--plan", "none.json"]).exits(2).says("E421");
    // The database changes after the plan was made.
    project.client().run("CREATE TABLE a (id int PRIMARY KEY, b int); CREATE INDEX a_b_idx ON a (b)");
    project
        .pgdeploy(&["baseline", "--at", "1", "--reason", "by hand", "--env", "production", "--yes"])
        .exits(0);
    deploy(&project, &["--plan", "saved.json"])
        .exits(4)
        .says("E420")
        .says("schema 0001_a is not to be done any more");
    assert_eq!(project.client().number("count(*) FROM pgdeploy.deployments WHERE stages <> '{}'"), 0);
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    deploy(&project, &["--plan", "saved.json"]).exits(0);
}

#[test]
fn a_saved_plan_is_gone_on_with_and_done_is_done() {
    let project = behind("").file("migrations/0002_c.sql", "ALTER TABLE nowhere ADD c int;");
    project.client().run("CREATE SCHEMA s");
    project.write("migrations/0002_c.sql", b"CREATE TABLE s.c (id int PRIMARY KEY);");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(1);
    crate::harness::Client::connect(&staging_url(&project)).run("CREATE SCHEMA s");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    project.client().run("DROP SCHEMA s");
    deploy(&project, &["--plan", "saved.json"]).exits(1).says("1 of 2 migrations");
    project.client().run("CREATE SCHEMA s");
    deploy(&project, &["--plan", "saved.json"]).exits(0).says("SUCCEEDED");
    deploy(&project, &["--plan", "saved.json"]).exits(0).says("NOTHING TO DO");
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
