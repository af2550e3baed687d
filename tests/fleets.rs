//! One release over many databases, in waves. The databases are the test's own, on the shared server.

mod databases;
mod failures;
mod killed;
mod waves;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{Client, Outcome, Project, server, until};

static FLEETS: AtomicU32 = AtomicU32::new(0);

/// A project whose environment `shards` is a fleet of databases of its own; the project's own database keeps account.
struct Fleet {
    project: Project,
    prefix: String,
}

/// The migration that each test begins with.
const FIRST: &str = "CREATE TABLE a (id int PRIMARY KEY);";

impl Fleet {
    /// So many databases `db01`.., in waves that are written as in pipeline.yaml, with more keys of the environment.
    fn of(databases: usize, waves: &str, more: &str) -> Self {
        let project = Project::new();
        let prefix = format!("fleet{}_", FLEETS.fetch_add(1, Ordering::Relaxed));
        let mut client = project.client();
        for number in 1..=databases {
            client.run(&format!("CREATE DATABASE {prefix}{number:02} TEMPLATE template0"));
        }
        let fleet = Self { project, prefix };
        let mut text =
            "version: 1\nname: test\nconnect: { wait: 1s, initial: 50ms }\nenvironments:\n  shards:\n    \
             database: \"${TEST_URL}\"\n"
                .to_owned();
        text.push_str(more);
        text.push_str("    fleet:\n      file: databases\n");
        text.push_str(waves);
        let lines: String = (1..=databases).map(|number| fleet.line(number, &fleet.url(number))).collect();
        Self {
            project: fleet
                .project
                .file("pipeline.yaml", &text)
                .file("databases", &lines)
                .file("migrations/0001_a.sql", FIRST),
            prefix: fleet.prefix,
        }
    }

    fn line(&self, number: usize, url: &str) -> String {
        format!("db{number:02} {url}\n")
    }

    fn url(&self, number: usize) -> String {
        server().url(&format!("{}{number:02}", self.prefix))
    }

    fn client(&self, number: usize) -> Client {
        Client::connect(&self.url(number))
    }

    /// A database that refuses every table without a schema.
    fn breaks(&self, number: usize) {
        let name = format!("{}{number:02}", self.prefix);
        self.project.client().run(&format!("ALTER DATABASE {name} SET search_path TO nowhere"));
    }

    fn mends(&self, number: usize) {
        let name = format!("{}{number:02}", self.prefix);
        self.project.client().run(&format!("ALTER DATABASE {name} RESET search_path"));
    }

    /// A database that nobody can reach.
    fn loses(self, number: usize) -> Self {
        let list = std::fs::read_to_string(self.project.path().join("databases")).expect("the list");
        let away = self.line(number, &format!("postgresql://u:canary@127.0.0.1:1/gone{number}"));
        let list = list.replace(&self.line(number, &self.url(number)), &away);
        Self { project: self.project.file("databases", &list), ..self }
    }

    fn deploy(&self) -> Outcome {
        self.project.pgdeploy(&["deploy", "--env", "shards"])
    }

    fn has_it(&self, number: usize) -> bool {
        self.client(number).is("EXISTS (SELECT FROM pg_tables WHERE tablename = 'a')")
    }

    fn with_it(&self, numbers: impl Iterator<Item = usize>) -> usize {
        numbers.filter(|number| self.has_it(*number)).count()
    }
}

#[test]
fn a_release_goes_to_every_database_and_then_there_is_nothing_to_do() {
    let fleet = Fleet::of(3, "", "");
    fleet
        .deploy()
        .exits(0)
        .says("SUCCEEDED")
        .says("3 databases: 3 deployed to, 0 up to date before, 0 failed, 0 untouched");
    assert_eq!(fleet.with_it(1..=3), 3);
    fleet.deploy().exits(0).says("NOTHING TO DO").says("3 up to date before");
    // A new database is found, and the others are left alone.
    let list = std::fs::read_to_string(fleet.project.path().join("databases")).expect("the list");
    fleet.project.client().run(&format!("CREATE DATABASE {}04 TEMPLATE template0", fleet.prefix));
    fleet.project.write("databases", format!("{list}{}", fleet.line(4, &fleet.url(4))).as_bytes());
    fleet.deploy().exits(0).says("4 databases: 1 deployed to, 3 up to date before");
    assert_eq!(fleet.client(1).number("count(*) FROM pgdeploy.deployments"), 1);
}

#[test]
fn there_are_never_more_connections_than_three_for_each_that_may_be_at_work() {
    let fleet = Fleet::of(16, "      max_parallel: 4\n", "");
    let project = &fleet.project;
    project.write("indexes/a.sql", b"CREATE INDEX a_b_idx ON a (b);");
    project.write("migrations/0001_a.sql", b"CREATE TABLE a (id int PRIMARY KEY, b int);");
    project.write("backfills/0001_b.sql", b"UPDATE a SET b = 1 WHERE b IS NULL;");
    let most_during = |arguments: &[&str]| {
        let mut client = project.client();
        let (prefix, mut most) = (&fleet.prefix, 0);
        let sample = format!(
            "count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgdeploy/%' AND (datname LIKE '{prefix}%' OR datname = current_database())"
        );
        let mut running = project.start(arguments);
        until("it has ended", || {
            most = most.max(client.number(&sample));
            running.has_ended()
        });
        running.wait().exits(0);
        most
    };
    let most = most_during(&["deploy", "--env", "shards"]);
    assert!((6..=12).contains(&most), "{most} connections");
    project.write("migrations/0002_c.sql", b"ALTER TABLE a ADD COLUMN c int;");
    let most = most_during(&["deploy", "--env", "shards"]);
    assert!((6..=12).contains(&most), "{most} connections");
    let most = most_during(&["plan", "--env", "shards"]);
    assert!((2..=12).contains(&most), "{most} connections");
}

#[test]
fn its_lines_are_events_of_the_committed_schema() {
    let fleet = Fleet::of(3, "      failure_budget: 1\n", "");
    fleet.breaks(2);
    let schema =
        std::fs::read_to_string(crate::harness::root().join("docs/jsonl.schema.json")).expect("a schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let events =
        fleet.project.pgdeploy(&["deploy", "--env", "shards", "--format", "jsonl"]).exits(0).events();
    for (place, event) in events.iter().enumerate() {
        assert!(validator.is_valid(event), "{event}");
        assert_eq!(event["seq"], place + 1);
    }
    let ended = |status: &str| {
        events
            .iter()
            .filter(|event| event["event"] == "fleet.database_finished" && event["status"] == status)
            .count()
    };
    assert_eq!((ended("done"), ended("failed")), (2, 1));
    assert_eq!(events.last().expect("a line")["event"], "deploy.finished");
    let mut control = fleet.project.client();
    assert_eq!(control.number("count(*) FROM pgdeploy.journal WHERE event = 'fleet.database_finished'"), 3);
    fleet.project.pgdeploy(&["fleet", "retry", "--failed", "--env", "shards", "--format", "jsonl"]).exits(0);
}
