//! The stages that warn: their failures are reported, leave nothing behind, and do not stop the deploy.

use crate::harness::{Project, until};

#[test]
fn a_unique_index_over_duplicates_is_a_warning_and_leaves_no_invalid_index() {
    let project = Project::new()
        .file(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id bigint PRIMARY KEY, email text); INSERT INTO a VALUES (1, 'x'), (2, 'x');",
        )
        .file(
            "indexes/a.sql",
            "CREATE UNIQUE INDEX a_email_key ON a (email);\nCREATE INDEX a_plain_idx ON a (email);",
        )
        .file(
            "backfills/0001_lower.sql",
            "UPDATE a SET email = lower(email) || '.' WHERE email NOT LIKE '%.';",
        );
    project.deploy().exits(0).says("W202").says("a_email_key").says("SUCCEEDED WITH WARNINGS");
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM pg_index WHERE NOT indisvalid"), 0);
    assert_eq!(client.text("to_regclass('a_plain_idx')"), "a_plain_idx");
    assert_eq!(client.number("count(*) FROM a WHERE email LIKE '%.'"), 2, "the stage after it has run");
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(3);
    client.run("DELETE FROM a WHERE id = 2");
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(0).says("a_email_key");
}

/// 2,000 rows at 2 ms each: about four seconds in one go.
fn slow_backfill(budget: &str) -> Project {
    let settings = format!(
        "stages: {{ backfill: {{ budget: {budget}, batch_size: 50, min_batch: 10, target: 50ms }} }}\n"
    );
    Project::new()
        .pipeline(&settings)
        .file(
            "migrations/0001_rows.sql",
            "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE r (id int PRIMARY KEY, done boolean NOT NULL DEFAULT false, touched int NOT NULL DEFAULT 0);
             INSERT INTO r SELECT g FROM generate_series(1, 2000) g;
             CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN i; END $$;",
        )
        .file("backfills/0001_touch.sql", "UPDATE r SET done = true, touched = touched + (slow(r.id) > 0)::int WHERE NOT done;")
}

#[test]
fn a_backfill_beyond_its_budget_is_a_warning_and_the_next_deploy_goes_on_at_the_cursor() {
    let project = slow_backfill("1s");
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(3).says("W201").says("incomplete");
    let mut client = project.client();
    let done = client.number("count(*) FROM r WHERE done");
    assert!((1..2000).contains(&done), "{done} rows");
    let mut rounds = 0;
    until("the backfill is complete", || {
        rounds += 1;
        project.pgdeploy(&["deploy", "--detailed-exitcode"]).code == Some(0)
    });
    assert!(rounds > 1, "it took several deploys");
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), 2000, "each row exactly once");
}

#[test]
fn a_computed_null_that_never_stops_matching_is_reported_with_its_rows() {
    let project = Project::new()
        .file(
            "migrations/0001_n.sql",
            "CREATE TABLE n (id int PRIMARY KEY, a text, b text); INSERT INTO n VALUES (1, 'x'), (7, NULL);",
        )
        .file("backfills/0001_copy.sql", "UPDATE n SET b = a WHERE b IS NULL;");
    project.deploy().exits(0).says("W204").says("7");
}

#[test]
fn a_required_index_that_cannot_be_built_is_a_gate_after_the_schema() {
    let project = Project::new()
        .file(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id bigint PRIMARY KEY, email text); INSERT INTO a VALUES (1, 'x'), (2, 'x');",
        )
        .file(
            "indexes/a.sql",
            "-- pgdeploy:\n--   required: true\nCREATE UNIQUE INDEX a_email_key ON a (email);",
        )
        .file("backfills/0001_dot.sql", "UPDATE a SET email = email || '.' WHERE email NOT LIKE '%.';");
    project.deploy().exits(1).says("E116").says("a_email_key");
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM a WHERE email LIKE '%.'"), 0, "the stage after it has not run");
    client.run("DELETE FROM a WHERE id = 2");
    project.deploy().exits(0);
    assert_eq!(client.number("count(*) FROM a WHERE email LIKE '%.'"), 1);
}
