//! People who agree to a plan, and who they may be.

use super::{behind, deploy, is_untouched, plan};

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
