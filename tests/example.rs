//! The newcomer: the example of the repository, as `./scripts/demo` runs it, with all its rows.

use crate::harness::Example;

#[test]
fn the_example_takes_real_rows_through_three_stages_and_then_has_nothing_to_do() {
    let example = Example::with_leads(300_000);
    let first = example.pgdeploy(&["deploy"]).exits(0).says("SUCCEEDED");
    for stage in [
        "[1/3] schema",
        "[2/3] index",
        "[3/3] backfill",
        "0001_last_call_direction",
        "leads_tenant_email_key",
    ] {
        assert!(first.stdout.contains(stage), "{stage} in {}", first.stdout);
    }
    assert_eq!(example.query("SELECT count(*) FROM leads WHERE last_call_direction IS NOT NULL"), "300000");
    assert_eq!(example.query("SELECT count(*) FROM leads WHERE last_call_direction = 'none'"), "76744");
    assert_eq!(example.query("SELECT count(*) FROM call_log"), "874898");
    assert_eq!(example.query("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    let catalog = "SELECT md5(string_agg(relname || relfilenode, ',' ORDER BY relname)) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let before = example.query(catalog);
    example.pgdeploy(&["deploy"]).exits(0).says("NOTHING TO DO");
    assert_eq!(example.query(catalog), before);
    example.pgdeploy(&["status", "--detailed-exitcode"]).exits(0);
    example.pgdeploy(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn dev_stop_and_reset_leave_nothing_running_and_nothing_behind() {
    let example = Example::with_leads(3_000);
    example.pgdeploy(&["deploy", "--quiet"]).exits(0);
    let url = example.pgdeploy(&["dev", "url"]).exits(0).stdout;
    let mut client = crate::harness::Client::connect(url.trim());
    assert_eq!(client.number("count(*) FROM leads"), 3_000);
    example.pgdeploy(&["dev", "reset"]).exits(2).says("1 session is connected").says("dev reset --force");
    client.close();
    example.pgdeploy(&["dev", "stop"]).exits(0).says("stopped");
    example.pgdeploy(&["dev", "stop"]).exits(0).says("was not running");
    example.pgdeploy(&["dev", "reset"]).exits(0);
    assert_eq!(example.query("SELECT to_regclass('leads') IS NULL"), "t", "the data are gone");
    let url = example.pgdeploy(&["dev", "url"]).exits(0).stdout;
    let _client = crate::harness::Client::connect(url.trim());
    example.pgdeploy(&["dev", "reset", "--force"]).exits(0);
}
