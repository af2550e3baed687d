//! Databases that fail, within the budget and beyond it.

use super::Fleet;

/// Three that refuse the migration and two that cannot be reached, of twenty.
fn twenty_of_which_five_fail(budget: &str) -> Fleet {
    let waves = format!(
        "      failure_budget: {budget}\n      waves:\n        - {{ name: canary, match: [db01, db02], max_parallel: 2 }}\n        \
         - {{ name: tenth, take: 25%, max_parallel: 2 }}\n        - {{ name: rest, max_parallel: 4 }}\n"
    );
    let fleet = Fleet::of(20, &waves, "").loses(5).loses(18);
    [4, 9, 15].into_iter().for_each(|broken| fleet.breaks(broken));
    fleet
}

#[test]
fn with_no_budget_it_ends_in_the_wave_of_the_failure_and_later_waves_are_untouched() {
    let fleet = twenty_of_which_five_fail("0");
    let failed = fleet.deploy().exits(8).says("E477").says("of the wave tenth failed, and 0 may");
    assert!(failed.stdout.contains("[canary]") && !failed.stdout.contains("[rest]"), "{}", failed.stdout);
    assert_eq!(fleet.with_it(1..=2), 2);
    assert_eq!(fleet.with_it(8..=20), 0, "the rest is untouched");
    assert!(!failed.stdout.contains("canary@") && !failed.stderr.contains("canary@"));
    let status = fleet.project.pgdeploy(&["status", "--env", "shards"]).exits(0);
    status.says("E108").says("2 done").says("13 pending").says("fleet retry --failed --env shards");
}

#[test]
fn within_the_budget_the_rest_is_done_and_the_failed_ones_are_tried_again() {
    let fleet = twenty_of_which_five_fail("5");
    let deploy =
        fleet.project.pgdeploy(&["deploy", "--env", "shards", "--detailed-exitcode", "--format", "json"]);
    let deploy = deploy.exits(3).json();
    assert_eq!(deploy["warnings"][0]["code"], "W450");
    let codes: Vec<_> =
        deploy["failed"].as_array().expect("a list").iter().map(|one| (&one["name"], &one["code"])).collect();
    assert_eq!(codes.len(), 5);
    for (name, code) in
        [("db04", "E108"), ("db05", "E301"), ("db09", "E108"), ("db15", "E108"), ("db18", "E301")]
    {
        assert!(codes.iter().any(|one| *one == (&name.into(), &code.into())), "{name} {codes:?}");
    }
    assert_eq!(fleet.with_it((1..=20).filter(|number| ![5, 18].contains(number))), 15);

    let retry =
        |more: &[&str]| fleet.project.pgdeploy(&[&["fleet", "retry", "--env", "shards"], more].concat());
    retry(&["--failed", "db01"]).exits(2).says("E478").says("db01 has not failed");
    retry(&["db99"]).exits(2).says("E478").says("no database db99");
    fleet.mends(4);
    fleet.mends(9);
    retry(&["--failed", "db04"]).exits(0).says("20 databases: 1 deployed to").says("19 untouched");
    retry(&["--failed"]).exits(0).says("W450 3 of 20 databases failed").says("1 deployed to");
    assert!(fleet.has_it(4) && fleet.has_it(9) && !fleet.has_it(15));
    assert_eq!(fleet.client(1).number("count(*) FROM pgdeploy.deployments"), 1, "the others are left alone");
    let list = fleet.project.pgdeploy(&["fleet", "list", "--failed", "--env", "shards"]).exits(0);
    assert_eq!(list.stdout.lines().count(), 3, "{}", list.stdout);
    list.says("db15").says("db18").says("E301");
}
