//! Hooks: programs of the user's at fixed points, in the ledger before and after they run.

use rustix::process::Signal;

use crate::harness::{Project, until};

fn release() -> Project {
    Project::new()
        .file(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a VALUES (1), (2);",
        )
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;")
}

fn calls(project: &Project) -> Vec<String> {
    let text = std::fs::read_to_string(project.path().join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn logging(points: &[&str]) -> String {
    let mut text = String::from("hooks:\n");
    for point in points {
        text.push_str(&format!(
            "  {point}: [ {{ name: log, run: [sh, -c, 'echo $$PGDEPLOY_HOOK >> calls'] }} ]\n"
        ));
    }
    text
}

const ALL: [&str; 10] = [
    "before_deploy",
    "before_schema",
    "after_schema",
    "before_index",
    "after_index",
    "before_backfill",
    "after_backfill",
    "after_deploy",
    "on_success",
    "on_failure",
];

#[test]
fn they_run_in_the_order_of_the_deploy_and_not_where_nothing_is_to_do() {
    let project = release().pipeline(&logging(&ALL));
    project.deploy().exits(0);
    let expected: Vec<String> = ALL[..9].iter().map(|point| format!("{point}/log")).collect();
    assert_eq!(calls(&project), expected);
    project.deploy().exits(0).says("NOTHING TO DO");
    assert_eq!(calls(&project), expected, "nothing was to be done");
    let project = project.file("indexes/b.sql", "CREATE INDEX a_b_id_idx ON a (b, id);");
    project.deploy().exits(0);
    let more =
        ["before_deploy/log", "before_index/log", "after_index/log", "after_deploy/log", "on_success/log"];
    assert_eq!(calls(&project)[9..], more, "only the index stage had work");
    let done = project
        .client()
        .number("count(*) FROM pgdeploy.hooks WHERE status = 'done' AND finished_at IS NOT NULL");
    assert_eq!(done, 14);
}

#[test]
fn one_that_fails_before_the_schema_is_7_touches_nothing_and_on_failure_is_told_why() {
    let project = release().pipeline(
        "services: { stop: { run: [touch, stopped] } }
hooks:
  before_deploy: [ { name: backup, run: [sh, -c, 'echo the disk is full >&2; exit 4'] } ]
  on_failure: [ { name: page, run: [sh, -c, 'echo $$PGDEPLOY_STATUS $$PGDEPLOY_EXIT_CODE $$PGDEPLOY_CODE $$PGDEPLOY_ENVIRONMENT >> calls'] } ]
",
    );
    project
        .deploy()
        .exits(7)
        .says("E453")
        .says("before_deploy/backup")
        .says("the disk is full")
        .says("the services were not touched");
    assert_eq!(calls(&project), ["failed 7 E453 prod"]);
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");
    assert!(!project.path().join("stopped").exists());
}

#[test]
fn one_that_tells_of_a_success_and_fails_is_a_warning() {
    let project = release().pipeline("hooks: { on_success: [ { name: chat, run: ['false'] } ] }\n");
    project.deploy().exits(0).says("SUCCEEDED WITH WARNINGS").says("W420").says("on_success/chat");
}

#[test]
fn one_that_hangs_is_killed_with_its_process_group_and_its_last_words_are_kept_without_secrets() {
    let project = release().variable("CANARY", "canary_value").pipeline(
        "hooks: { before_deploy: [ { name: slow, run: [sh, -c, 'sleep 600 & echo $$! > child; echo token $$0; wait', '${CANARY}'], timeout: 500ms } ] }\n",
    );
    let outcome = project.deploy().exits(7).says("500ms").says("token ***");
    assert!(!format!("{outcome:?}").contains("canary"));
    let child = std::fs::read_to_string(project.path().join("child")).expect("the child's pid");
    let child = child.trim().to_owned();
    until("the grandchild is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
    let kept = project.client().text("(SELECT output FROM pgdeploy.hooks)");
    assert!(kept.contains("token ***"), "{kept}");
}

#[test]
fn one_that_says_more_than_a_pipe_holds_is_heard_to_its_end() {
    let project = release().pipeline(
        "hooks: { before_deploy: [ { name: loud, run: [sh, -c, 'head -c 400000 /dev/zero | tr \"\\\\0\" a; echo the end'], timeout: 30s } ] }\n",
    );
    project.deploy().exits(0);
    let kept = project.client().text("(SELECT output FROM pgdeploy.hooks)");
    assert!(
        kept.ends_with("aaa\u{74}he end") && kept.len() < 3000,
        "{} {}",
        kept.len(),
        &kept[kept.len() - 20..]
    );
}

#[test]
fn one_that_fails_and_leaves_something_behind_has_told_why() {
    let project = release().pipeline(
        "hooks: { before_deploy: [ { name: port, run: [sh, -c, 'echo port 8000 is in use >&2; sleep 600 & echo $$! > child; exit 3'] } ] }\n",
    );
    project.deploy().exits(7).says("port 8000 is in use");
    let child = std::fs::read_to_string(project.path().join("child")).expect("the child's pid");
    let child = rustix::process::Pid::from_raw(child.trim().parse().expect("a pid")).expect("a pid");
    rustix::process::kill_process(child, Signal::KILL).expect("it is still there: it was left on purpose");
}

#[test]
fn only_names_the_environments_that_have_it() {
    let project = release();
    let text = |only: &str| {
        format!(
            "version: 1\nname: test\nenvironments:\n  prod: {{ database: \"${{TEST_URL}}\" }}\n  other: {{ database: \"${{TEST_URL}}\" }}\n\
             hooks: {{ before_deploy: [ {{ name: log, run: [touch, ran], only: [{only}] }} ] }}\n"
        )
    };
    let project = project.file("pipeline.yaml", &text("other"));
    project.pgdeploy(&["deploy", "--env", "prod"]).exits(0);
    assert!(!project.path().join("ran").exists());
    let project = project.file("pipeline.yaml", &text("othr"));
    project.pgdeploy(&["deploy", "--env", "prod"]).exits(2).says("E263").says("did you mean `other`?");
}

#[test]
fn one_that_must_not_run_twice_is_asked_about_after_a_kill_until_somebody_says_how_it_ended() {
    let once = |rule: &str| {
        format!(
            "hooks: {{ before_deploy: [ {{ name: mail, run: [sh, -c, 'echo ran >> calls; while [ -e hold ]; do sleep 0.02; done'], if_interrupted: {rule} }} ] }}\n"
        )
    };
    let project = release().pipeline(&once("ask")).file("hold", "");
    let running = project.start(&["deploy"]);
    until("the hook runs", || !calls(&project).is_empty());
    running.signal(Signal::KILL);
    drop(running.wait());
    project.remove("hold");
    project.deploy().exits(4).says("E455").says("--settle-hook before_deploy/mail=done");
    project.pgdeploy(&["deploy", "--settle-hook", "before_deploy/male=done"]).exits(2).says("E456");
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");
    project.pgdeploy(&["deploy", "--settle-hook", "before_deploy/mail=done"]).exits(0);
    assert_eq!(calls(&project), ["ran"]);

    let project = release().pipeline(&once("again")).file("hold", "");
    let running = project.start(&["deploy"]);
    until("the hook runs", || !calls(&project).is_empty());
    running.signal(Signal::KILL);
    drop(running.wait());
    project.remove("hold");
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["ran", "ran"]);
}

#[test]
fn the_password_of_the_surroundings_is_masked_as_it_is_and_as_json_and_urls_spell_it() {
    let hook = "hooks: { before_deploy: [ { name: talk, run: [cat, said] } ] }\n";
    let project = Project::new().pipeline(hook).file("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    let password = "p@ss w\"ord\\'%x";
    let json = serde_json::json!({ "login": password }).to_string();
    let said = format!("plain {password} json {json} url p%40ss%20w%22ord%5C%27%25x end");
    let project = project.file("said", &said).variable("PGPASSWORD", password);
    let outcome = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
    let kept = project.client().text("(SELECT output FROM pgdeploy.hooks)");
    assert_eq!(kept, "plain *** json {\"login\":\"***\"} url *** end");
    assert!(!outcome.stdout.contains("ss w") && !outcome.stderr.contains("ss w"), "{}", outcome.stdout);
}
