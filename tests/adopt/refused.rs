//! What cannot be understood is refused, all of it at once, and nothing is written.

use super::Old;

const TOOLS: [&str; 9] =
    ["alembic", "prisma", "flyway", "sqlx", "django", "dbmate", "golang-migrate", "goose", "refinery"];

fn nothing_was_written(old: &Old) {
    for path in
        ["pipeline.yaml", "adopt.yaml", "pipeline.schema.json", "guard.grandfathered.yaml", "pgdeploy"]
    {
        assert!(!old.project.path().join(path).exists(), "{path}");
    }
}

#[test]
fn an_empty_project_a_wrong_directory_and_another_tools_project_are_told() {
    for tool in TOOLS {
        let old = Old::empty(tool);
        let own =
            old.project.pgdeploy(&["init", "--from", tool, "--source", "nowhere"]).exits(2).says("E701");
        assert!(own.stderr.contains("--source"), "{}", own.stderr);
        let code = if tool == "django" { "E707" } else { "E701" };
        let empty = old.project.path().join("empty.sql");
        std::fs::write(&empty, "").expect("a file");
        std::fs::create_dir(old.project.path().join("empty")).expect("a folder");
        let python = ["--sql", "empty.sql"];
        let printed = if matches!(tool, "alembic" | "django") { &python[..] } else { &[] };
        old.project
            .pgdeploy(&[&["init", "--from", tool, "--source", "empty"], printed].concat())
            .exits(2)
            .says(code);
        nothing_was_written(&old);
    }
    let goose = Old::of("goose");
    goose.project.pgdeploy(&["init", "--from", "dbmate"]).exits(2).says("E706").says("migrate:up");
    goose.project.pgdeploy(&["init", "--from", "refinery"]).exits(2).says("E701");
    nothing_was_written(&goose);
}

#[test]
fn every_problem_of_every_file_is_told_with_its_place() {
    let old = Old::empty("goose")
        .file("migrations/00001_a.sql", "-- +goose Up\nCREATE TABEL a ();\n")
        .file("migrations/00002_b.sql", "CREATE TABLE b ();\n")
        .file("migrations/00003_c.go", "package migrations\n")
        .file("migrations/00004_d.sql", "-- +goose ENVSUB ON\n-- +goose Up\nCREATE TABLE ${NAME} ();\n")
        .file("migrations/00005_e.sql", "-- +goose Up\nCREATE TABLE e ();\nROLLBACK;\n")
        .file("migrations/00006_f.sql", "-- +goose Up\nCREATE TABLE f ();\n")
        .file("migrations/6_f.sql", "-- +goose Up\nCREATE TABLE f ();\n")
        .file("migrations/00007_g.sql", "-- +goose Up\nCOPY a FROM stdin;\n\\d a\n");
    let said = old.init(&[]).exits(2);
    for text in [
        "E220",
        "00001_a.sql:2:8",
        "E706",
        "00002_b.sql",
        "00003_c.go",
        "program in Go",
        "00004_d.sql:1:1",
        "00005_e.sql:3:1",
        "E704",
        "00007_g.sql:3:1",
    ] {
        assert!(said.stderr.contains(text), "{text} in {}", said.stderr);
    }
    nothing_was_written(&old);
}

#[test]
fn what_each_tool_does_beside_sql_is_named() {
    for (tool, path, text, code) in [
        ("refinery", "migrations/V1__a.rs", "", "E702"),
        ("flyway", "sql/V1__a.java", "", "E702"),
        ("flyway", "sql/V1__a.sql", "CREATE TABLE ${schema}.a ();", "E702"),
        ("flyway", "sql/V1__a.sql", "SELECT 1;\n\\copy a from 'x'", "E220"),
        ("sqlx", "migrations/name.sql", "SELECT 1", "E703"),
        ("sqlx", "migrations/1_a.down.sql", "SELECT 1", "E708"),
        ("sqlx", "migrations/1_a.sql", "SELECT 1\0", "E213"),
        ("golang-migrate", "migrations/name.up.sql", "SELECT 1", "E703"),
        ("alembic", "alembic/versions/a.py", "revision = 'a'\ndown_revision = 'lost'\n", "E705"),
        ("alembic", "alembic/versions/a.py", "revision = 'a'\ndown_revision = before()\n", "E705"),
    ] {
        let old = Old::empty(tool).file(path, text);
        old.init(&[]).exits(2).says(code).says(path.rsplit('/').next().unwrap_or(path));
        nothing_was_written(&old);
    }
    let other = Old::of("prisma").file("prisma/migrations/migration_lock.toml", "provider = \"mysql\"\n");
    other.init_with_database(&[]).exits(2).says("E709");
}

#[test]
fn a_tool_that_cannot_be_started_or_fails_is_told_with_the_way_out() {
    let old = Old::of("alembic");
    let asked =
        |command: &str| old.project.pgdeploy(&["init", "--from", "alembic", "--tool-command", command]);
    asked("/nowhere/alembic")
        .exits(2)
        .says("E707")
        .says("--tool-command 'poetry run alembic'")
        .says("--sql FILE");
    asked("false").exits(2).says("E707").says("failed");
    nothing_was_written(&old);
}

#[test]
fn a_file_is_never_overwritten() {
    let old = Old::of("dbmate").file("pipeline.yaml", "mine").file("migrations/0001_mine.sql", "SELECT 1;");
    old.init(&[]).exits(2).says("E715").says("pipeline.yaml");
    assert!(!old.project.path().join("adopt.yaml").exists());
    old.project.remove("pipeline.yaml");
    // A folder with other files in it is left alone.
    old.init(&[]).exits(0).says("pgdeploy/migrations/20240105101500_create_leads.sql");
    old.init(&[]).exits(0).says("kept     pipeline.yaml");
    old.init(&["--into", "migrations"]).exits(2).says("migrations/0001_mine.sql");
}

#[test]
fn a_history_that_is_not_there_or_there_twice_or_empty_is_told() {
    let old = Old::of("sqlx");
    let mut client = old.client();
    client.run("CREATE SCHEMA other; CREATE TABLE other._sqlx_migrations (LIKE public._sqlx_migrations)");
    old.init_with_database(&[]).exits(5).says("E716").says("other._sqlx_migrations, public._sqlx_migrations");
    old.init_with_database(&["--history-table", "public._sqlx_migrations"]).exits(0);
    old.adopt(&[]).exits(0).says("public._sqlx_migrations");
    client.run("DROP SCHEMA other CASCADE; TRUNCATE _sqlx_migrations");
    old.adopt(&["--yes"]).exits(5).says("E716").says("is empty");
    client.run("DROP TABLE _sqlx_migrations");
    old.adopt(&["--yes"]).exits(5).says("E716").says("no such table");
    old.project.remove("adopt.yaml");
    old.adopt(&["--yes"]).exits(2).says("E717").says("init --from");
}
