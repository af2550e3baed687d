//! Where the databases of a fleet come from, and what is done with one of them.

use super::{FIRST, Fleet};
use crate::harness::{Project, server};

#[test]
fn databases_come_from_a_query_on_the_one_that_keeps_account() {
    let fleet = Fleet::of(3, "", "");
    let text = std::fs::read_to_string(fleet.project.path().join("pipeline.yaml")).expect("the pipeline");
    let asks = |sql: &str| {
        let text = text.replace("file: databases", &format!("sql: \"{sql}\""));
        fleet.project.write("pipeline.yaml", text.as_bytes());
    };
    let mut control = fleet.project.client();
    control.run("CREATE TABLE tenants (name text, url text, live bool DEFAULT true)");
    asks("SELECT name, url FROM tenants WHERE live ORDER BY name -- all");
    fleet.deploy().exits(2).says("E475").says("it gives no row");
    for number in 1..=3 {
        control.run(&format!(
            "INSERT INTO tenants VALUES ('t{number}', '{}&password=canary_url')",
            fleet.url(number)
        ));
    }
    let deployed =
        fleet.project.pgdeploy(&["deploy", "--env", "shards", "-vv"]).exits(0).says("3 deployed to");
    assert!(!deployed.stdout.contains("canary_url") && !deployed.stderr.contains("canary_url"));
    assert!(!control.is("EXISTS (SELECT FROM pgdeploy.fleet_targets t WHERE t::text LIKE '%canary_url%')"));
    control.run("INSERT INTO tenants SELECT 't4', url FROM tenants WHERE name = 't1'");
    fleet.deploy().exits(2).says("E476").says("t1 and t4 are one database");
    control.run("UPDATE tenants SET name = 't1' WHERE name = 't4'");
    fleet.deploy().exits(2).says("E475").says("t1 is there twice");
    asks("DELETE FROM tenants RETURNING name, url");
    fleet.deploy().exits(2).says("E475");
    assert_eq!(control.number("count(*) FROM tenants"), 4);
}

#[test]
fn one_database_of_a_fleet_is_named_where_a_command_is_about_one() {
    let fleet = Fleet::of(2, "", "");
    let project = &fleet.project;
    project.pgdeploy(&["plan", "--env", "shards/db02"]).exits(0).says("0001_a");
    project.pgdeploy(&["deploy", "--env", "shards/db02"]).exits(0).says("1 deployed to").says("1 untouched");
    assert!(!fleet.has_it(1) && fleet.has_it(2));
    project
        .pgdeploy(&["status", "--env", "shards/db02"])
        .exits(0)
        .says("test at shards/db02")
        .says("deployment 1");
    fleet.deploy().exits(0);
    project.write("migrations/0002_b.sql", b"ALTER TABLE a ADD COLUMN b int;");
    project.pgdeploy(&["hold", "add", "--reason", "vip", "--env", "shards/db01"]).exits(0);
    fleet.deploy().exits(8).says("db01: E408");
    project.pgdeploy(&["hold", "lift", "1", "--env", "shards/db01"]).exits(0);
    fleet.deploy().exits(0);
    project.pgdeploy(&["status", "--env", "shards/db99"]).exits(2).says("E478");
    for command in [
        &["index", "list"][..],
        &["baseline", "--none", "--reason", "x"],
        &["run", "--", "true"],
        &["wait", "--", "true"],
        &["plan", "--prove"],
    ] {
        project.pgdeploy(&[command, &["--env", "shards"]].concat()).exits(2).says("E479");
    }
}

#[test]
fn the_example_of_the_page_goes_through_its_waves() {
    let page =
        std::fs::read_to_string(crate::harness::root().join("docs/rollouts.md")).expect("docs/rollouts.md");
    let block = |name: &str| {
        let text = page.split(&format!(" fleet/{name}\n")).nth(1).and_then(|rest| rest.split("```").next());
        text.expect("a block of the page").to_owned()
    };
    let project = Project::new();
    let mut control = project.client();
    control.run("CREATE TABLE errors (at timestamptz)");
    for name in ["demo", "internal", "acme", "globex", "initech"] {
        control.run(&format!("CREATE DATABASE shop_{name} TEMPLATE template0"));
    }
    let url = server().url("shop_demo");
    let (front, options) = url.split_once("/shop_demo").expect("the database's name");
    let control_url = project.url.clone();
    let project = project
        .file("pipeline.yaml", &block("pipeline.yaml"))
        .file("databases.txt", &block("databases.txt"))
        .file("migrations/0001_a.sql", FIRST)
        .variable("CONTROL_URL", &control_url)
        .variable("SHARDS_URL", front)
        .variable("SHARDS_OPTIONS", options);
    project.pgdeploy(&["plan", "--env", "shards"]).exits(0).says("acme: schema 0001_a");
    let deployed = project.pgdeploy(&["deploy", "--env", "shards"]).exits(0);
    deployed
        .says("[canary]        soaking")
        .says("verify          no errors")
        .says("5 databases: 5 deployed to");
    project.pgdeploy(&["status", "--env", "shards"]).exits(0).says("UP TO DATE");
    project.pgdeploy(&["fleet", "list", "--failed", "--env", "shards"]).exits(0).says("none");
    project.pgdeploy(&["status", "--env", "shards/acme"]).exits(0);
}
