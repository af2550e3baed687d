//! The story that started it: a backfill that hides in a migration is refused before anything runs, and split it goes in.

use crate::harness::Project;

fn deployed() -> Project {
    let project = Project::new().file(
        "migrations/0001_leads.sql",
        "CREATE TABLE leads (id int PRIMARY KEY, email text); INSERT INTO leads VALUES (1, 'a@x'), (2, 'b@y');",
    );
    project.deploy().exits(0);
    project
}

#[test]
fn a_backfill_in_a_migration_is_refused_everywhere_and_the_split_goes_in() {
    let mixed = "ALTER TABLE leads ADD domain text;\nUPDATE leads SET domain = split_part(email, '@', 2);\n";
    let project = deployed().file("migrations/0002_domain.sql", mixed);
    for command in ["check", "guard", "plan", "deploy"] {
        project.pgdeploy(&[command]).exits(6).says("E501").says("dml-update").says("0002_domain.sql:2:1");
    }
    assert_eq!(project.client().number("count(*) FROM pgdeploy.deployments"), 1, "nothing was touched");
    let project = project.file("migrations/0002_domain.sql", "ALTER TABLE leads ADD domain text;\n").file(
        "backfills/0001_domain.sql",
        "UPDATE leads SET domain = split_part(email, '@', 2) WHERE domain IS NULL;\n",
    );
    project.deploy().exits(0);
    assert_eq!(project.client().number("count(*) FROM leads WHERE domain IS NOT NULL"), 2);
}

#[test]
fn a_hazard_is_accepted_with_a_reason_and_an_applied_file_is_not_judged_again() {
    let project =
        deployed().file("migrations/0002_index.sql", "CREATE INDEX leads_email_idx ON leads (email);");
    project.deploy().exits(6).says("E502").says("create-index");
    let accepted = "-- pgdeploy:allow create-index: two rows\nCREATE INDEX leads_email_idx ON leads (email);";
    let project = project.file("migrations/0002_index.sql", accepted);
    project.deploy().exits(0);
    project.deploy().exits(0).says("NOTHING TO DO");
}

#[test]
fn old_findings_are_excused_by_a_list_that_can_only_shrink() {
    let project = Project::new().file("migrations/0001_old.sql", "DELETE FROM leads;");
    project.pgdeploy(&["check"]).exits(6).says("dml-delete");
    project.pgdeploy(&["guard", "--grandfather", "--reason", "before the rule"]).exits(0).says("1 entry");
    project.pgdeploy(&["check"]).exits(0);
    let project = project.file("migrations/0002_new.sql", "DELETE FROM leads WHERE id = 1;");
    project.pgdeploy(&["guard", "--grandfather", "--reason", "again"]).exits(0).says("1 entry");
    project.pgdeploy(&["check"]).exits(6).says("0002_new.sql");
    project.remove("migrations/0002_new.sql");
    let project = project.file("migrations/0001_old.sql", "SELECT 1;");
    project.pgdeploy(&["check"]).exits(6).says("E504");
    project.pgdeploy(&["guard", "--grandfather", "--reason", "gone"]).exits(0).says("well done");
    project.pgdeploy(&["check"]).exits(0);
}

#[test]
fn explain_audit_and_the_machine_reports_answer() {
    let project = Project::new().file("migrations/0001_old.sql", "UPDATE leads SET a = 1;");
    project.pgdeploy(&["explain", "dml-update"]).exits(0).says("dml-update");
    project.pgdeploy(&["explain", "no-such-rule"]).exits(2).says("dml-update");
    project.pgdeploy(&["audit", "migrations"]).exits(0).says("0001_old.sql");
    let sarif = project.pgdeploy(&["guard", "--report", "sarif"]).exits(6).json();
    assert_eq!(sarif["version"], "2.1.0");
    project
        .pgdeploy(&["guard", "--report", "github"])
        .exits(6)
        .says("::error file=migrations/0001_old.sql,line=1");
}

#[test]
fn a_plan_knows_the_target_and_a_check_only_the_text() {
    let project = Project::new().file(
        "migrations/0001_leads.sql",
        "CREATE TABLE leads (id int PRIMARY KEY, email text, phone varchar(20));",
    );
    project.deploy().exits(0);
    let mut client = project.client();
    client.run("INSERT INTO leads SELECT g, 'a@x', 'b' FROM generate_series(1, 40000) g; ANALYZE leads");
    client.run("ALTER TABLE leads ADD CONSTRAINT proof CHECK (email IS NOT NULL)");
    client.run(
        "CREATE FUNCTION deeper() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM leads; RETURN 1; END'",
    );
    client.run("CREATE FUNCTION tidy() RETURNS int LANGUAGE sql AS 'SELECT deeper()'");
    let proven =
        "ALTER TABLE leads ALTER email SET NOT NULL; ALTER TABLE leads ALTER phone TYPE varchar(50);";
    let project = project.file("migrations/0002_proven.sql", proven);
    project.pgdeploy(&["check"]).exits(6).says("set-not-null");
    project.pgdeploy(&["plan"]).exits(0);
    let project = project.file("migrations/0002_proven.sql", "CREATE INDEX i ON leads (email);");
    project.pgdeploy(&["plan"]).exits(6).says("create-index").says("leads: about 40,000 rows");
    let project = project.file("migrations/0002_proven.sql", "SELECT tidy();");
    project.pgdeploy(&["plan"]).exits(6).says("dml-call");
    let project = project.file("migrations/0002_proven.sql", "ALTER TABLE leads ALTER phone TYPE text;");
    project.deploy().exits(0);
}

#[test]
fn extract_shows_the_split_writes_it_and_leaves_applied_files_alone() {
    let mixed = "ALTER TABLE leads ADD domain text;\n\nUPDATE leads SET domain = split_part(email, '@', 2);\n\nCREATE INDEX leads_domain_idx ON leads (domain);\n";
    let project = deployed().file("migrations/0002_domain.sql", mixed);
    project
        .pgdeploy(&["guard", "--extract"])
        .exits(0)
        .says("+++ b/backfills/0001_leads_domain.sql")
        .says("+ WHERE leads.domain IS NULL;")
        .says("3 files would be written");
    project.pgdeploy(&["check"]).exits(6);
    project.pgdeploy(&["guard", "--extract", "--write"]).exits(0).says("+++ b/indexes/leads.sql");
    project.pgdeploy(&["check"]).exits(0);
    project.deploy().exits(0);
    assert_eq!(project.client().number("count(*) FROM leads WHERE domain IS NOT NULL"), 2);
    project.pgdeploy(&["guard", "--extract"]).exits(0).says("nothing to move");
    // In the database with its rows: what is applied stays as it is.
    let accepted = "-- pgdeploy:allow dml-delete: one row\nDELETE FROM leads WHERE id = 1;\n";
    let project = project.file("migrations/0003_gone.sql", accepted);
    project.deploy().exits(0);
    let edited = project.file("migrations/0003_gone.sql", "DELETE FROM leads WHERE id = 1;\n");
    edited.pgdeploy(&["guard", "--extract"]).exits(0).says("nothing to move");
}

#[test]
fn a_proof_measures_the_pending_files_and_refuses_rows_that_only_a_run_can_see() {
    let project = deployed();
    let mut client = project.client();
    client.run("INSERT INTO leads SELECT g, 'a@x' FROM generate_series(10, 40000) g; ANALYZE leads");
    let project = project.file(
        "migrations/0002_column.sql",
        "ALTER TABLE leads ADD region text;\nCREATE TABLE plans (name text);\nINSERT INTO plans VALUES ('free');\n",
    );
    project
        .pgdeploy(&["plan", "--prove"])
        .exits(0)
        .says("locks leads ACCESS EXCLUSIVE")
        .says("held to COMMIT");
    let proof = project.pgdeploy(&["plan", "--prove", "--format", "json"]).exits(0).json();
    let statement = &proof["proof"]["files"][0]["statements"][0];
    assert_eq!(statement["locks"][0]["mode"], "ACCESS EXCLUSIVE");
    assert_eq!(statement["scans"], serde_json::json!([]));
    let project = project.file(
        "migrations/0003_check.sql",
        "-- pgdeploy:allow add-check: measured below\nALTER TABLE leads ADD CONSTRAINT c CHECK (id > 0);\n",
    );
    let text = project.pgdeploy(&["plan", "--prove"]).exits(0).says("verifying table").stdout;
    assert!(text.contains("about 39,993 rows") && text.contains("not measurable, leads is empty"), "{text}");
    // A text that no reading can tell, and a person who was wrong about it. The copy has no rows: the lock tells.
    let hidden = "CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE (SELECT string_agg(chr(c), '' ORDER BY n) \
        FROM unnest(ARRAY[68,69,76,69,84,69,32,70,82,79,77,32,108,101,97,100,115]) WITH ORDINALITY AS u(c, n)); END $$;\n\
        -- pgdeploy:allow unknown-statement: only makes objects\nSELECT make();\n";
    let project = project.file("migrations/0004_hidden.sql", hidden);
    project.pgdeploy(&["plan"]).exits(0);
    let refused = project.pgdeploy(&["plan", "--prove"]).exits(6);
    refused.says("E505").says("0004_hidden.sql:3:1").says("a change of leads that matched none here");
    let project = project.file("migrations/0004_hidden.sql", "ALTER TABLE leads ADD region int;");
    project.pgdeploy(&["plan", "--prove"]).exits(6).says("E506").says("0004_hidden.sql:1:1");
    assert_eq!(client.number("count(*) FROM leads"), 39_993, "the target is left alone");
}
