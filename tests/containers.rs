//! Entry points of containers: `run` deploys and becomes the application, `wait` becomes it once the release is in.

use rustix::process::Signal;

use crate::harness::{Project, until};

fn release() -> Project {
    Project::new()
        .file(
            "migrations/0001_a.sql",
            "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a SELECT g FROM generate_series(1, 500) g;",
        )
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = id WHERE b IS NULL;")
}

/// Rows of the history, of index builds, and rows that were filled other than once.
const ONCE: &str = "(SELECT count(*) FROM pgdeploy.migrations) || ' ' || (SELECT count(*) FROM pgdeploy.index_builds) || ' ' \
     || (SELECT count(*) FROM a WHERE b = id) || ' ' || (SELECT count(*) FROM pg_index WHERE NOT indisvalid)";

#[test]
fn run_deploys_and_becomes_the_application_with_its_number_its_stdout_and_its_exit_code() {
    let project = release();
    let running = project.start(&["run", "--", "sh", "-c", "echo $$; cat /proc/$$/comm; exit 42"]);
    let pid = running.pid().as_raw_nonzero().to_string();
    let outcome = running.wait().exits(42);
    assert_eq!(outcome.stdout, format!("{pid}\nsh\n"), "stdout is the application's alone");
    assert!(outcome.stderr.contains("SUCCEEDED"), "{}", outcome.stderr);
    assert_eq!(project.client().text(ONCE), "1 1 500 0");
}

#[test]
fn signals_are_the_applications_once_it_runs_and_it_finds_them_as_they_are_by_default() {
    let project = release();
    let handler = "trap 'echo heard; exit 7' TERM; touch up; while :; do sleep 0.02; done";
    let running = project.start(&["run", "--", "sh", "-c", handler]);
    until("the application is up", || project.path().join("up").exists());
    running.signal(Signal::TERM);
    assert_eq!(running.wait().exits(7).stdout, "heard\n");
    let status = project.pgdeploy(&["run", "--", "cat", "/proc/self/status"]).exits(0).stdout;
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a mask");
        u64::from_str_radix(line.trim(), 16).expect("a mask")
    };
    // SIGINT, SIGPIPE and SIGTERM: this program catches two of them and ignores the third.
    let ours = (1 << 1) | (1 << 12) | (1 << 14);
    assert_eq!((mask("SigBlk:"), mask("SigIgn:") & ours, mask("SigCgt:") & ours), (0, 0, 0));
}

#[test]
fn a_run_heeds_the_saved_plan_and_the_override_as_a_deploy_does() {
    let project = release().pipeline("").file(
        "pipeline.yaml",
        "version: 1
name: test
environments:
  prod:
    database: \"${TEST_URL}\"
    overrides: [hold]
",
    );
    let run =
        |arguments: &[&str]| project.pgdeploy(&[&["run"], arguments, &["--", "touch", "started"]].concat());
    run(&["--plan", "none.json"]).exits(2).says("E421");
    project.pgdeploy(&["plan", "--out", "saved.json"]).exits(0);
    let project = &project;
    project.write("migrations/0002_c.sql", b"CREATE TABLE c (id int PRIMARY KEY);");
    run(&["--plan", "saved.json"]).exits(4).says("E420");
    project.pgdeploy(&["ledger", "create"]).exits(0);
    project.pgdeploy(&["hold", "add", "--reason", "incident-42"]).exits(0);
    run(&[]).exits(4).says("E408");
    assert!(!project.path().join("started").exists());
    assert!(project.client().is("to_regclass('a') IS NULL"));
    run(&["--override", "hold", "--reason", "the cure"]).exits(0);
    assert!(project.path().join("started").exists());
}

#[test]
fn a_gate_that_fails_never_starts_the_application() {
    let project = release().file("migrations/0002_x.sql", "ALTER TABLE nowhere ADD b int;");
    project.pgdeploy(&["run", "--", "touch", "started"]).exits(1).says("E108");
    assert!(!project.path().join("started").exists());
    let project = release().file("migrations/0002_x.sql", "ALTER TABLE nowhere ADD");
    project.pgdeploy(&["run", "--", "touch", "started"]).exits(2);
    assert!(!project.path().join("started").exists());
}

#[test]
fn a_signal_while_it_deploys_stops_the_deploy_and_the_application_never_starts() {
    let project = Project::new().file(
        "migrations/0001_slow.sql",
        "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(60);",
    );
    let mut client = project.client();
    let running = project.start(&["run", "--", "touch", "started"]);
    until("the migration is at work", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid())")
    });
    running.signal(Signal::TERM);
    running.wait().exits(143);
    assert!(!project.path().join("started").exists());
}

#[test]
fn a_program_that_is_not_there_is_told_before_anything_is_touched() {
    let project = release();
    project.pgdeploy(&["run", "--", "no-such-program"]).exits(2).says("E462");
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");
    project.write("not-a-program", b"#!/no/such/interpreter\n");
    let path = project.path().join("not-a-program");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    project
        .pgdeploy(&["run", "--", "./not-a-program"])
        .exits(126)
        .says("E463")
        .says("what was deployed stays");
    project.pgdeploy(&["run"]).exits(2);
}

#[test]
fn six_replicas_at_once_deploy_everything_once_and_all_become_the_application() {
    // 2 rounds in CI; PGDEPLOY_ROUNDS=20 for the long run.
    let rounds = std::env::var("PGDEPLOY_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    for round in 1..=rounds {
        let project = release();
        let replicas: Vec<_> = (0..6).map(|_| project.start(&["run", "--", "echo", "up"])).collect();
        for replica in replicas {
            assert_eq!(replica.wait().exits(0).stdout, "up\n", "round {round}");
        }
        assert_eq!(project.client().text(ONCE), "1 1 500 0", "round {round}");
    }
}

#[test]
fn an_old_replica_on_a_newer_database_starts_only_where_that_is_said() {
    let project = release().file("migrations/0002_c.sql", "ALTER TABLE a ADD c int;");
    project.deploy().exits(0);
    project.remove("migrations/0002_c.sql");
    project.pgdeploy(&["run", "--", "echo", "up"]).exits(5).says("E110");
    let outcome = project.pgdeploy(&["run", "--when-ahead", "start", "--", "echo", "up"]).exits(0);
    assert_eq!(outcome.stdout, "up\n");
    assert_eq!(project.pgdeploy(&["wait", "--", "echo", "up"]).exits(0).stdout, "up\n");
}

/// The same release, for a role that may read the ledger and nothing else; the release itself grants that.
fn consumer(project: Project) -> (Project, String) {
    let mut client = project.client();
    let role = format!("web_{}", client.text("current_database()"));
    client.run(&format!("CREATE ROLE {role} LOGIN"));
    let grant = format!(
        "GRANT USAGE ON SCHEMA pgdeploy TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA pgdeploy TO {role};"
    );
    let url = project.url.replace("user=postgres", &format!("user={role}"));
    let text = "version: 1\nname: test\nenvironments: { prod: { database: \"${URL}\" } }\n";
    let owner = project.url.clone();
    let project = project.file("migrations/0002_grants.sql", &grant).file("pipeline.yaml", text);
    (project.variable("URL", &url), owner)
}

/// Deploys as the owner, whatever the project's own role is.
fn deploy_as(project: &Project, owner: &str) -> crate::harness::Outcome {
    project.pgdeploy_with(&["deploy"], "URL", owner)
}

#[test]
fn wait_starts_the_application_only_after_the_release_with_select_on_the_ledger_alone() {
    let (project, owner) = consumer(release());
    let waiting = project.start(&["wait", "--", "sh", "-c", "touch started; echo up"]);
    project.pgdeploy(&["wait", "--timeout", "0s"]).exits(75).says("E461").says("nothing has been deployed");
    assert!(!project.path().join("started").exists());
    deploy_as(&project, &owner).exits(0);
    assert_eq!(waiting.wait().exits(0).stdout, "up\n");
    let mut client = project.client();
    let (hash, right) = (
        client.text("(SELECT release FROM pgdeploy.deployments)"),
        "has_table_privilege(current_user, 'a', 'SELECT')",
    );
    assert!(client.is(right), "the test itself may read more");
    project.pgdeploy(&["wait", "--for-release", &hash[..12], "--timeout", "0s"]).exits(0);
    project
        .pgdeploy(&["wait", "--for-release", "0123456", "--timeout", "0s"])
        .exits(75)
        .says("release 0123456 has not been deployed yet");
    project.pgdeploy(&["wait", "--for-release", "release"]).exits(2);
    let project = project.file("migrations/0003_more.sql", "ALTER TABLE a ADD c int;");
    project.pgdeploy(&["wait", "--timeout", "0s"]).exits(75);
}

#[test]
fn wait_fails_with_the_text_of_the_failed_deploy() {
    let (project, owner) = consumer(release());
    let project = project.file("migrations/0003_x.sql", "ALTER TABLE nowhere ADD b int;");
    deploy_as(&project, &owner).exits(1);
    project
        .pgdeploy(&["wait", "--", "touch", "started"])
        .exits(75)
        .says("E460")
        .says("0003_x.sql failed and was rolled back whole")
        .says("relation \"nowhere\" does not exist");
    assert!(!project.path().join("started").exists());
}

#[test]
fn wait_until_schema_does_not_wait_for_the_backfills() {
    let (project, owner) = consumer(
        release()
            .file("backfills/0001_b.sql", "UPDATE a SET b = (SELECT 1 FROM pg_sleep(0.02)) WHERE b IS NULL;"),
    );
    let deploy = project.start_with(&["deploy"], "URL", &owner);
    let early = project.pgdeploy(&["wait", "--until", "schema", "--", "echo", "up"]).exits(0);
    assert_eq!(early.stdout, "up\n");
    project.pgdeploy(&["wait", "--timeout", "0s"]).exits(75).says("has not ended yet");
    deploy.signal(Signal::KILL);
    drop(deploy.wait());
    deploy_as(&project, &owner);
}

#[test]
fn wait_hears_a_signal() {
    let (project, _) = consumer(release());
    let waiting = project.start(&["wait", "--", "touch", "started"]);
    let mut client = project.client();
    until("it waits", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgdeploy/wait' AND datname = current_database())")
    });
    waiting.signal(Signal::TERM);
    waiting.wait().exits(143);
    assert!(!project.path().join("started").exists());
}
