//! The index stage end to end: kills, several deployers, the pipeline's settings, `index list` and `index repair`.

use rustix::process::Signal;

use crate::harness::{Project, until};

const BUILDING: &str = "EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = to_regclass('t_slow') AND phase LIKE 'building%')";
const SETTINGS: &str = "lock: { wait: 60s }\n";

/// 300 rows of ten milliseconds each: an index on `slow(a)` takes three seconds.
fn slow(more: &str) -> Project {
    Project::new()
        .pipeline(more)
        .file(
            "migrations/0001_t.sql",
            "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE t (a int, b int);
             INSERT INTO t SELECT g, g % 7 FROM generate_series(1, 300) g;
             CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN i; END $$;",
        )
        .file("indexes/t.sql", "CREATE INDEX t_slow ON t (slow(a));\nCREATE INDEX t_b ON t (b);")
}

#[test]
fn a_deploy_killed_in_the_middle_of_a_build_leaves_it_to_the_server_and_the_next_adopts_it() {
    let project = slow(SETTINGS);
    let killed = project.start(&["deploy"]);
    let mut client = project.client();
    until("the index is being built", || client.is(BUILDING));
    killed.signal(Signal::KILL);
    drop(killed.wait());
    let next = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
    let built: Vec<_> = next.events().into_iter().filter(|event| event["event"] == "index.built").collect();
    assert!(
        built.iter().any(|event| event["index"] == "t_slow" && event["outcome"] == "adopted"),
        "{built:?}"
    );
    assert_eq!(client.number("count(*) FROM pg_index WHERE NOT indisvalid"), 0);
    assert_eq!(
        client.number("count(*) FROM pgdeploy.index_builds WHERE action = 'build' AND index_name = 't_slow'"),
        1,
        "it was begun once"
    );
}

#[test]
fn a_second_deployer_polls_and_then_finds_everything_as_declared() {
    let project = slow(SETTINGS);
    let first = project.start(&["deploy"]);
    let mut client = project.client();
    until("the index is being built", || client.is(BUILDING));
    let second = project.pgdeploy(&["deploy", "--format", "json"]).exits(0).json();
    first.wait().exits(0).says("t_slow");
    assert_eq!(second["nothing_to_do"], true, "{second}");
    let outcomes: Vec<_> =
        second["indexes"].as_array().into_iter().flatten().map(|index| &index["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "unchanged"]);
    assert_eq!(
        client.number("(SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())"),
        0
    );
    assert_eq!(client.number("count(*) FROM pgdeploy.index_builds WHERE action = 'build'"), 2);
    assert_eq!(client.number("count(*) FROM pgdeploy.index_builds WHERE sqlstate IS NOT NULL"), 0);
}

#[test]
fn a_budget_that_ends_is_exit_0_with_a_warning_and_the_index_is_valid_later() {
    let project = slow("stages: { index: { budget: 1s } }\n");
    project
        .pgdeploy(&["deploy", "--detailed-exitcode"])
        .exits(3)
        .says("W202")
        .says("the server goes on building it");
    let mut client = project.client();
    until("the server has finished it", || {
        client.is("EXISTS (SELECT FROM pg_index WHERE indexrelid = 't_slow'::regclass AND indisvalid)")
    });
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(0).says("adopted");
}

#[test]
fn the_settings_of_the_pipeline_reach_the_stage_and_the_plan() {
    let project = slow("stages: { index: { on_drift: replace, on_interrupt: cancel, parallel: 1 } }\n");
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the index is being built", || client.is(BUILDING));
    running.signal(Signal::TERM);
    running.wait().exits(143);
    assert_eq!(
        client.number("count(*) FROM pg_class WHERE relname = 't_slow'"),
        0,
        "cancelled, and nothing is left"
    );
    project.write("indexes/t.sql", b"CREATE INDEX t_b ON t (b, a);");
    project.deploy().exits(0).says("replaced");
    assert_eq!(
        client.text("pg_get_indexdef('t_b'::regclass)"),
        "CREATE INDEX t_b ON public.t USING btree (b, a)"
    );
    client.run("DROP INDEX t_b; CREATE INDEX t_b ON t (a)");
    project.pgdeploy(&["plan", "--detailed-exitcode"]).exits(3).says("build the declared one beside it");
    project.deploy().exits(0).says("replaced");
}

#[test]
fn index_list_shows_what_is_wrong_and_index_repair_mends_it_on_the_record() {
    let project = slow(SETTINGS).file("indexes/t.sql", "CREATE INDEX t_b ON t (b);");
    // Before anything was deployed, too.
    project.pgdeploy(&["index", "list"]).exits(0).says("0 indexes");
    project.deploy().exits(0);
    let mut client = project.client();
    client.run(
        "CREATE INDEX again ON t (b); CREATE UNIQUE INDEX odd ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('odd'::regclass, 't_b'::regclass)",
    );
    let listed = project.pgdeploy(&["index", "list"]).exits(0);
    let listed = listed.says("INVALID, and it rejects duplicate rows now").says("indexes/t.sql:1:1");
    listed.says("2 INVALID: pgdeploy index repair --env prod");
    let json = project.pgdeploy(&["index", "list", "--format", "json"]).exits(0).json();
    let odd =
        json["indexes"].as_array().into_iter().flatten().find(|index| index["name"] == "odd").expect("odd");
    assert_eq!((&odd["condition"], &odd["rejects_rows"]), (&"invalid".into(), &true.into()));
    project
        .pgdeploy(&["index", "repair", "--actor", "alice"])
        .exits(0)
        .says("repairing every invalid index")
        .says("odd")
        .says("t_b")
        .says("SUCCEEDED");
    assert_eq!(client.number("count(*) FROM pg_index WHERE NOT indisvalid"), 0);
    let row = client.text("(SELECT status || ' ' || actor || ' ' || (stages ->> 'index') FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1)");
    assert_eq!(row, "succeeded alice done");
    assert_eq!(client.number("count(*) FROM pgdeploy.journal WHERE event = 'index_repair.started'"), 1);
    assert_eq!(client.number("count(*) FROM pgdeploy.succeeded_files WHERE deployment = 2"), 0);
    project.pgdeploy(&["index", "repair"]).exits(0).says("NOTHING TO DO");
    project
        .pgdeploy(&["index", "repair", "nothing"])
        .exits(2)
        .says("E134")
        .says("pgdeploy index list --env prod");
    project.pgdeploy(&["index", "list", "--troubled"]).exits(0).says("duplicate of t_b");
    project.pgdeploy(&["index", "repair", "--help"]).exits(0).says("Examples:").says("REINDEX CONCURRENTLY");
}

#[test]
fn an_index_repair_takes_the_run_lock() {
    let project = slow("");
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the index is being built", || client.is(BUILDING));
    project.pgdeploy(&["index", "repair"]).exits(75).says("E311");
    running.wait().exits(0);
}

/// 1,500 rows of two milliseconds each, and an index on what they are filled with.
fn filled(budget: &str) -> Project {
    Project::new()
        .pipeline(&format!("stages: {{ backfill: {{ budget: {budget}, batch_size: 50, min_batch: 10, target: 50ms }} }}\n"))
        .file(
            "migrations/0001_r.sql",
            "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE r (id int PRIMARY KEY, score int);
             INSERT INTO r SELECT g FROM generate_series(1, 1500) g;
             CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.002); RETURN i; END $$;",
        )
        .file("backfills/0001_score.sql", "UPDATE r SET score = slow(r.id) WHERE score IS NULL;")
        .file(
            "indexes/r.sql",
            "-- pgdeploy:\n--   after_backfill: 0001_score\n--   required: true\nCREATE INDEX r_score ON r (score);",
        )
        .file("indexes/other.sql", "CREATE INDEX r_id ON r (id, score);")
}

#[test]
fn an_index_that_waits_for_a_backfill_is_built_in_the_same_deploy_when_that_is_complete() {
    let project = filled("20m");
    project
        .pgdeploy(&["plan"])
        .exits(0)
        .says("build when its backfill is complete")
        .says("after backfill 0001_score: it has not been run yet");
    let outcome = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
    let events = outcome.events();
    let place = |name: &str, key: &str, value: &str| {
        events
            .iter()
            .position(|event| event["event"] == name && event[key] == value)
            .unwrap_or_else(|| panic!("{name} in {events:#?}"))
    };
    let order = [
        place("index.built", "index", "r_id"),
        place("index.deferred", "index", "r_score"),
        place("backfill.completed", "id", "0001_score"),
        place("index.built", "index", "r_score"),
    ];
    assert!(order[0] < order[2] && order[1] < order[2] && order[2] < order[3], "{order:?}");
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM pgdeploy.succeeded_files WHERE path LIKE 'indexes/%'"), 2);
    project.deploy().exits(0).says("NOTHING TO DO");
}

#[test]
fn an_index_whose_backfill_is_incomplete_is_deferred_and_shown_and_is_no_gate() {
    let project = filled("500ms");
    project
        .pgdeploy(&["deploy", "--detailed-exitcode"])
        .exits(3)
        .says("r_score")
        .says("deferred: it is built after backfill 0001_score");
    let mut client = project.client();
    assert_eq!(client.text("to_regclass('r_score')"), "NULL");
    assert_eq!(client.number("count(*) FROM pgdeploy.succeeded_files WHERE path = 'indexes/r.sql'"), 0);
    project
        .pgdeploy(&["status", "--detailed-exitcode"])
        .exits(3)
        .says("after backfill 0001_score: it is incomplete");
    project.write(
        "pipeline.yaml",
        b"version: 1\nname: test\nenvironments:\n  prod: { database: \"${TEST_URL}\" }\n",
    );
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(0);
    assert_eq!(client.text("to_regclass('r_score')"), "r_score");
    // What is there stays, whatever becomes of the backfill.
    client.run("UPDATE r SET score = NULL WHERE id = 7");
    project.pgdeploy(&["plan", "--format", "json"]).exits(0).says("\"state\": \"valid\"");
}

#[test]
fn an_index_that_waits_for_no_backfill_of_the_release_is_refused_before_anything_is_touched() {
    let project = filled("20m");
    project.remove("backfills/0001_score.sql");
    project
        .deploy()
        .exits(2)
        .says("E125")
        .says("indexes/r.sql")
        .says("waits for the backfill 0001_score, and there is no such file");
}
