//! What is carried over: times, order, versions, findings of the guard.

use super::Old;

#[test]
fn the_time_at_which_it_was_applied_and_how_long_it_took_are_kept() {
    let old = Old::of("flyway");
    old.init_with_database(&[]).exits(0);
    old.adopt(&["--yes"]).exits(0);
    let mut client = old.client();
    assert_eq!(
        client.text("applied_at::timestamp FROM pgdeploy.migrations WHERE version = 1"),
        "2024-05-03 10:00:01"
    );
    assert_eq!(client.number("duration_ms FROM pgdeploy.migrations WHERE version = 3"), 30);
    assert_eq!(client.text("imported_from FROM pgdeploy.migrations WHERE version = 3"), "Flyway 2.1");
    assert_eq!(
        client.text("string_agg(name, ' ' ORDER BY version) FROM pgdeploy.migrations"),
        "create_leads add_stage seed_tenants index_email lead_counts"
    );
}

#[test]
fn names_without_a_timestamp_get_the_order_in_which_a_database_has_had_them() {
    let old = Old::of("prisma");
    let named =
        old.init(&["--dry-run"]).exits(2).says("E703").says("add_auth_models").says("add_brand_profile");
    assert!(named.stderr.contains("add_role_premium"), "all of them at once");
    old.init_with_database(&[]).exits(0).says("0001_add_auth_models").says("0010_add_role_premium");
    let migrations = old.project.path().join("migrations");
    // The last two would sort before the names without a timestamp, were it not for the database.
    for name in ["0007_add_brand_profile", "0009_add_v4_tier1a_models", "0012_add_rate_limit_events"] {
        assert!(migrations.join(format!("{name}.sql")).is_file(), "{name}");
    }
}

#[test]
fn or_the_order_that_a_person_gives() {
    let old = Old::of("prisma");
    let order = "add_auth_models,add_brand_profile,20251225045724_add_review_request_automation_tables,add_role_premium";
    old.init(&["--order", order]).exits(0).says("0002_add_brand_profile").says("0004_add_role_premium");
    old.elsewhere().project.deploy().exits(0);
}

#[test]
fn what_the_guard_finds_in_applied_files_is_listed_and_excused_and_in_pending_ones_it_stands() {
    let old = Old::of("sqlx").file("migrations/20240601000000_late.sql", "UPDATE leads SET email = 'x';");
    old.init_with_database(&[])
        .exits(0)
        .says("20240301120000_seed-tenants.sql:2 dml-update")
        .says("to be changed before they can be deployed");
    let list = std::fs::read_to_string(old.project.path().join("guard.grandfathered.yaml")).expect("a list");
    assert!(list.contains("imported from sqlx") && !list.contains("20240601000000_late"), "{list}");
    old.project.pgdeploy(&["check"]).exits(6).says("20240601000000_late.sql");
}

#[test]
fn rows_in_a_pending_file_can_be_moved_out_once_the_database_is_adopted() {
    let text =
        "ALTER TABLE leads ADD COLUMN source text;\nUPDATE leads SET source = 'web' WHERE source IS NULL;\n";
    let old =
        Old::of("dbmate").file("db/migrations/20240601000000_source.sql", &format!("-- migrate:up\n{text}"));
    old.init_with_database(&[]).exits(0).says("to be changed before they can be deployed");
    old.adopt(&["--yes"]).exits(0).says("4 migrations carried over, 2 pending");
    old.project.pgdeploy(&["guard", "--extract", "--write"]).exits(0).says("backfills/");
    old.project.deploy().exits(0).says("20240601000000_source");
    old.project.pgdeploy(&["status"]).exits(0).says("UP TO DATE");
}

#[test]
fn a_large_seed_that_is_applied_does_not_stop_check() {
    let rows: Vec<String> = (0..150).map(|number| format!("('t{number}')")).collect();
    let text = format!("INSERT INTO tenants (name) VALUES {};", rows.join(", "));
    let old = Old::of("dbmate")
        .file("db/migrations/20240301120000_seed-tenants.sql", &format!("-- migrate:up\n{text}\n"));
    old.init_with_database(&[]).exits(0).says("INSERT of 150 rows");
    old.project.pgdeploy(&["check"]).exits(0);
}

#[test]
fn a_migration_that_was_left_out_before_others_goes_last() {
    let old = Old::of("dbmate");
    old.client().run("DELETE FROM schema_migrations WHERE version = '20240301120000'");
    old.init_with_database(&[]).exits(0).says("20240402090001_seed-tenants");
    old.adopt(&["--yes"]).exits(0);
    old.project.pgdeploy(&["plan"]).exits(6).says("20240402090001_seed-tenants.sql");
}

#[test]
fn an_environment_that_is_not_as_far_as_the_one_that_init_saw_is_told_what_to_do() {
    let old = Old::of("dbmate");
    old.init_with_database(&[]).exits(0);
    old.client().run("DELETE FROM schema_migrations WHERE version = '20240301120000'");
    old.adopt(&["--yes"])
        .exits(5)
        .says("E720")
        .says("20240301120000_seed-tenants.sql")
        .says("run it here with dbmate first");
}

#[test]
fn files_that_are_ours_already_stay_where_they_are() {
    let old = Old::empty("sqlx")
        .file("migrations/1_a.sql", "CREATE TABLE a ();\n")
        .file("migrations/002_b-c.sql", "CREATE TABLE b ();");
    old.init(&[]).exits(0).says("kept     migrations/1_a.sql").says("kept     migrations/002_b-c.sql");
    old.project.deploy().exits(0).says("002_b-c");
}

#[test]
fn weird_names_become_names_of_files() {
    let old = Old::empty("dbmate").file(
        "db/migrations/20240101 What's (new)? – Ünïcode $x.sql",
        "-- migrate:up\nCREATE TABLE \"Ünï\" ();\n-- migrate:down\nDROP TABLE \"Ünï\";\n",
    );
    old.init(&[]).exits(0).says("migrations/20240101_What_s_new_Ünïcode_x.sql");
    old.project.deploy().exits(0);
}

#[test]
fn a_hint_of_what_would_be_written_writes_nothing() {
    let old = Old::of("goose");
    let report = old.init_with_database(&["--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(report["migrations"][4]["state"], "pending");
    assert_eq!(report["written"], serde_json::Value::Null);
    assert!(
        !old.project.path().join("pipeline.yaml").exists() && !old.project.path().join("adopt.yaml").exists()
    );
}
