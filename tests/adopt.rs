//! Databases that other tools have migrated: their files, their order and their history become ours, and nothing runs again.
//!
//! `tests/fixtures/adopt/<tool>` holds a project and the database that the real tool made of it, up to its last but one
//! migration; its README says with which version, and what records it anew.

mod kept;
mod questions;
mod refused;

use orchestrator::schema::Fingerprint;
use postgres::Target;
use secrecy::SecretString;

use crate::harness::{Client, Outcome, Project, copy, database, root};

/// A project of another tool, beside the database that it has migrated.
struct Old {
    project: Project,
    tool: &'static str,
}

impl Old {
    /// The fixture of a tool, in a directory and a database of its own.
    fn of(tool: &'static str) -> Self {
        let old = Self::empty(tool);
        copy(&fixture(tool).join("project"), old.project.path());
        old.database(
            &std::fs::read_to_string(fixture(tool).join("database.sql")).expect("a recorded database"),
        );
        old
    }

    /// Nothing yet.
    fn empty(tool: &'static str) -> Self {
        let project = Project::new();
        project.remove("pipeline.yaml");
        let url = project.url.clone();
        Self { project: project.variable("DEV_DATABASE_URL", &url), tool }
    }

    fn file(self, path: &str, text: &str) -> Self {
        Self { project: self.project.file(path, text), ..self }
    }

    fn database(&self, text: &str) {
        // A session of its own: a dump empties the search path.
        let mut client = self.project.client();
        client.run(text);
        client.close();
    }

    fn client(&self) -> Client {
        self.project.client()
    }

    /// `pgdeploy init --from TOOL --env dev`.
    #[track_caller]
    fn init(&self, more: &[&str]) -> Outcome {
        let offline = fixture(self.tool).join("offline.sql").display().to_string();
        let mut arguments = vec!["init", "--from", self.tool, "--env", "dev"];
        if matches!(self.tool, "alembic" | "django") {
            arguments.extend(["--sql", &offline]);
        }
        arguments.extend(more);
        self.project.pgdeploy(&arguments)
    }

    /// The same with the database.
    #[track_caller]
    fn init_with_database(&self, more: &[&str]) -> Outcome {
        self.init(&[&["--database", &self.project.url], more].concat())
    }

    #[track_caller]
    fn adopt(&self, more: &[&str]) -> Outcome {
        self.project.pgdeploy(&[&["adopt", "--reason", "moving over"], more].concat())
    }

    /// The catalog without the tool's own tables.
    fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.project.url)
    }

    /// The same release on a new database.
    fn elsewhere(self) -> Self {
        let url = database();
        Self { project: self.project.variable("DEV_DATABASE_URL", &url).at_database(&url), ..self }
    }
}

fn fixture(tool: &str) -> std::path::PathBuf {
    root().join("tests/fixtures/adopt").join(tool)
}

fn fingerprint(url: &str) -> Fingerprint {
    let own = [
        "_sqlx_migrations",
        "schema_migrations",
        "alembic_version",
        "django_migrations",
        "django_migrations_id_seq",
        "goose_db_version",
        "goose_db_version_id_seq",
        "refinery_schema_history",
        "flyway_schema_history",
        "_prisma_migrations",
    ];
    let own: Vec<String> =
        own.iter().map(|table| format!("public.{table}")).chain(["pgdeploy".to_owned()]).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let target = Target::parse(&SecretString::from(url)).expect("a URL");
        let mut session = target.connect("test").await.expect("a session");
        Fingerprint::of(&mut session, &own).await.expect("a fingerprint")
    })
}

/// The whole way: nothing of what the tool has run runs again, what it has not run does, and a new database gets the same.
fn adopted(tool: &'static str, settle: &[&str], applied: i64, pending: i64) -> Old {
    let old = Old::of(tool);
    old.init_with_database(&[]).exits(0).says("applied");
    old.project.pgdeploy(&["check"]).exits(0);
    old.project.deploy().exits(5).says("E107").says("pgdeploy adopt");
    old.adopt(settle).exits(0).says("Nothing was done");
    assert_eq!(old.client().text("to_regnamespace('pgdeploy')"), "NULL", "looking changes nothing");
    let before = old.fingerprint();
    old.adopt(&[settle, &["--yes"]].concat()).exits(0).says("ADOPTED");
    assert_eq!(old.fingerprint(), before, "nothing was run");
    let mut client = old.client();
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations WHERE kind = 'imported'"), applied);
    assert_eq!(
        client.text("DISTINCT body ->> 'reason' FROM pgdeploy.journal WHERE event = 'history.imported'"),
        "moving over"
    );
    old.project.deploy().exits(0);
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations WHERE kind = 'applied'"), pending);
    old.project.deploy().exits(0).says("NOTHING TO DO");
    old.adopt(&["--yes"]).exits(5).says("E718");
    let after = old.fingerprint();
    let new = old.elsewhere();
    new.project.deploy().exits(0);
    assert_eq!(after.difference(&new.fingerprint()), Vec::<String>::new(), "{tool}");
    new
}

#[test]
fn sqlx() {
    let old = adopted("sqlx", &[], 4, 1);
    assert!(old.project.path().join("pgdeploy/migrations/20240105101500_create_leads.down.sql").is_file());
}

#[test]
fn dbmate() {
    adopted("dbmate", &[], 4, 1);
}

#[test]
fn golang_migrate() {
    adopted("golang-migrate", &[], 4, 1);
}

#[test]
fn goose() {
    adopted("goose", &[], 4, 1);
}

#[test]
fn refinery() {
    adopted("refinery", &[], 4, 1);
}

#[test]
fn flyway() {
    adopted("flyway", &[], 5, 1);
}

#[test]
fn prisma() {
    adopted("prisma", &["--settle", "add_role_premium=applied"], 10, 2);
}

#[test]
fn alembic() {
    let old = adopted("alembic", &[], 4, 1);
    let merged =
        std::fs::read_to_string(old.project.path().join("migrations/0004_index_email.sql")).expect("a file");
    assert!(merged.contains("requires: [0002_seed_tenants, 0003_add_stage]"), "{merged}");
    assert!(merged.contains("transaction: false"), "{merged}");
}

#[test]
fn django() {
    adopted("django", &[], 14, 1);
}
