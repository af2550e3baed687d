//! What a history leaves open is asked, and answered by a person.

use super::Old;

#[test]
fn a_failed_migration_is_shown_with_the_command_and_can_be_run() {
    let old = Old::of("prisma");
    old.init_with_database(&[]).exits(0).says("E710").says("--settle add_role_premium=pending");
    old.adopt(&["--yes"]).exits(5).says("E710").says("add_role_premium").says("9 would be carried over");
    assert_eq!(old.client().text("to_regnamespace('pgdeploy')"), "NULL");
    // Nothing of it is in after all.
    old.client().run("DELETE FROM pg_enum WHERE enumlabel = 'PREMIUM'");
    old.adopt(&["--settle", "add_role_premium=pending", "--yes"])
        .exits(0)
        .says("pending   0010_add_role_premium");
    old.project.deploy().exits(0).says("0010_add_role_premium");
}

#[test]
fn failures_of_every_tool_that_records_them_are_shown() {
    for (tool, update, name) in [
        (
            "sqlx",
            "UPDATE _sqlx_migrations SET success = false WHERE version = 20240402090000",
            "20240402090000",
        ),
        ("golang-migrate", "UPDATE schema_migrations SET dirty = true", "4"),
        ("flyway", "UPDATE flyway_schema_history SET success = false WHERE version = '3'", "3"),
    ] {
        let old = Old::of(tool);
        old.client().run(update);
        old.init_with_database(&[]).exits(0).says("E710").says(&format!("--settle {name}=applied"));
        old.adopt(&[]).exits(5).says("E710");
        old.adopt(&["--settle", &format!("{name}=applied")])
            .exits(0)
            .says(&format!("settled   {name}=applied"));
    }
}

#[test]
fn a_version_that_goose_has_taken_back_is_pending() {
    let old = Old::of("goose");
    old.client().run("DROP INDEX leads_email_idx; INSERT INTO goose_db_version VALUES (99, 4, false)");
    old.init_with_database(&[]).exits(0).says("pending   4");
    old.adopt(&["--yes"]).exits(0).says("3 migrations carried over, 2 pending");
}

#[test]
fn a_text_that_was_changed_after_it_was_applied_is_shown_by_the_tools_own_checksum() {
    for (tool, path, id) in [
        ("sqlx", "migrations/20240212083000_add_stage.up.sql", "20240212083000"),
        ("refinery", "migrations/V2__add_stage.sql", "2"),
        ("flyway", "sql/V2__add_stage.sql", "2"),
        ("prisma", "prisma/migrations/add_brand_profile/migration.sql", "add_brand_profile"),
    ] {
        let old = Old::of(tool).file(path, "CREATE TABLE other ();");
        old.init_with_database(&[]).exits(0).says("E711").says("was changed after it was applied");
        let settle = ["--settle", "add_role_premium=applied"];
        let settle = if tool == "prisma" { &settle[..] } else { &[] };
        old.adopt(settle).exits(5).says("E711").says(&format!("--settle {id}=edited"));
        old.adopt(&[settle, &["--settle", &format!("{id}=edited"), "--yes"]].concat()).exits(0);
    }
}

#[test]
fn line_ends_of_a_checkout_do_not_matter_to_prisma() {
    let path = "prisma/migrations/add_auth_models/migration.sql";
    let old = Old::of("prisma");
    let text = std::fs::read_to_string(old.project.path().join(path)).expect("a file");
    let old = old.file(path, &text.replace('\n', "\r\n"));
    let said = old.init_with_database(&[]).exits(0);
    assert!(!said.stdout.contains("E711"), "{}", said.stdout);
}

#[test]
fn a_migration_whose_file_is_gone_is_asked_about() {
    let old = Old::of("dbmate");
    old.client().run("INSERT INTO schema_migrations VALUES ('20230101000000')");
    old.init_with_database(&[]).exits(0).says("E712");
    old.adopt(&["--yes"]).exits(5).says("E712").says("--settle 20230101000000=gone");
    old.adopt(&["--settle", "20230101000000=gone", "--yes"]).exits(0);
}

#[test]
fn python_that_has_not_run_yet_is_asked_about() {
    let old = Old::of("django");
    old.client().run("DELETE FROM django_migrations WHERE name = '0002_seed'");
    old.init_with_database(&[]).exits(0).says("E713").says("RunPython add_tenants");
    old.adopt(&["--yes"]).exits(5).says("E713").says("run it with the tool itself first");
    old.adopt(&["--settle", "crm.0002_seed=pending", "--yes"]).exits(0);
}

#[test]
fn an_answer_to_no_question_and_an_edited_file_are_refused() {
    let old = Old::of("dbmate");
    old.init_with_database(&[]).exits(0);
    old.adopt(&["--settle", "20240105101500=pending"]).exits(5).says("E719");
    old.adopt(&["--settle", "20240105101500=perhaps"]).exits(2).says("applied, pending, edited, gone");
    let old = old.file("migrations/20240105101500_create_leads.sql", "CREATE TABLE other ();");
    old.adopt(&["--yes"]).exits(5).says("E717").says("20240105101500_create_leads.sql");
}

#[test]
fn a_head_that_no_revision_has_is_told() {
    let old = Old::of("alembic");
    old.client().run("UPDATE alembic_version SET version_num = 'feedbeef'");
    old.init_with_database(&[]).exits(0).says("E712").says("feedbeef");
}
