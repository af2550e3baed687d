//! One tool from its own migrations to a database that goes on under pgdeploy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use postgres::{Row, Target};
use schema::Fingerprint;
use scratch::Server;
use secrecy::SecretString;

use super::Real;
use super::tools::{Tools, run};

/// The order in which the database of Prisma's fixture has had its files: those without a timestamp in between.
const PRISMA: [&str; 9] = [
    "add_auth_models",
    "20251225045724_add_review_request_automation_tables",
    "20251225050000_add_user_foreign_keys_to_review_request_tables",
    "20251225090040_add_social_auto_poster",
    "20251225143914_add_image_engine_models",
    "20251231230000_add_crm_tables",
    "add_brand_profile",
    "20260101002629_add_booking_settings_notification_email",
    "20260101091921_add_v4_tier1a_models",
];

pub(crate) struct Journey<'a> {
    pub(crate) tool: Real,
    pub(crate) tools: &'a Tools,
    pub(crate) server: &'a Server,
    pub(crate) port: u16,
    pub(crate) pgdeploy: &'a Path,
}

/// What came of it.
pub(crate) struct Told {
    pub(crate) init: Duration,
    pub(crate) adopt: Duration,
    pub(crate) imported: i64,
    pub(crate) run_again: i64,
    pub(crate) pending: i64,
    pub(crate) difference: Vec<String>,
}

impl Journey<'_> {
    pub(crate) async fn go(&self, record: bool) -> anyhow::Result<Told> {
        let (name, directory) = (self.tool.name(), tempfile::tempdir()?);
        let project = directory.path().join("project");
        run(Command::new("cp").arg("-r").arg(fixture(name).join("project")).arg(&project))?;
        let (old, new) = (name.to_owned(), format!("{name}_new"));
        self.server.create_database(&old)?;
        self.server.create_database(&new)?;
        self.migrate(&project, &old)?;
        if record {
            self.record(&project, &old)?;
        }
        let url = self.server.url(&old);
        let started = Instant::now();
        let mut init = vec!["init", "--from", name, "--env", "dev", "--database", &url];
        let (alembic, python) = (
            self.tools.python().with_file_name("alembic").display().to_string(),
            self.tools.python().display().to_string(),
        );
        match self.tool {
            Real::Alembic => init.extend(["--tool-command", &alembic]),
            Real::Django => init.extend(["--tool-command", &python]),
            _ => {}
        }
        self.pgdeploy(&project, &old, &init)?;
        let init = started.elapsed();
        let settle = ["--settle", "add_role_premium=applied"];
        let settle = if self.tool == Real::Prisma { &settle[..] } else { &[] };
        let started = Instant::now();
        self.pgdeploy(&project, &old, &[&["adopt", "--yes", "--reason", "the bench"], settle].concat())?;
        let adopt = started.elapsed();
        let plan = self.pgdeploy(&project, &old, &["plan", "--format", "json"])?;
        let plan: serde_json::Value = serde_json::from_str(&plan)?;
        let pending = plan["schema"]["pending"].as_array().map_or(0, Vec::len);
        self.pgdeploy(&project, &old, &["deploy"])?;
        self.pgdeploy(&project, &new, &["deploy"])?;
        let count = |kind: &str| format!("SELECT count(*) FROM pgdeploy.migrations WHERE kind = '{kind}'");
        let pending = i64::try_from(pending)?;
        Ok(Told {
            init,
            adopt,
            imported: self.number(&old, &count("imported")).await?,
            run_again: self.number(&old, &count("applied")).await? - pending,
            pending,
            difference: self.fingerprint(&old).await?.difference(&self.fingerprint(&new).await?),
        })
    }

    /// Has the tool migrate the database, up to its last but one migration.
    fn migrate(&self, project: &Path, database: &str) -> anyhow::Result<()> {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port);
        match self.tool {
            Real::Sqlx => {
                let program = self.tools.program("sqlx");
                run(Command::new(program)
                    .args(["migrate", "run", "--target-version", "20240402090000", "--database-url", &url])
                    .current_dir(project))?;
            }
            Real::Dbmate => {
                let last = project.join("db/migrations/20240503100000_won_leads.sql");
                let text = std::fs::read(&last)?;
                std::fs::remove_file(&last)?;
                let program = self.tools.node("node_modules/.bin/dbmate");
                run(Command::new(program)
                    .args(["--url", &url, "--no-dump-schema", "up"])
                    .current_dir(project))?;
                std::fs::write(last, text)?;
            }
            Real::Refinery => {
                let program = self.tools.program("refinery");
                run(Command::new(program)
                    .args(["migrate", "-e", "CRM", "-p", "migrations", "-t", "4"])
                    .env("CRM", &url)
                    .current_dir(project))?;
            }
            Real::Alembic => {
                let url = format!("postgresql+psycopg2://postgres@127.0.0.1:{}/{database}", self.port);
                let program = self.tools.python().with_file_name("alembic");
                run(Command::new(program)
                    .args(["upgrade", "5e6f7a8b9c0d"])
                    .env("CRM_URL", url)
                    .current_dir(project))?;
            }
            Real::Django => {
                for goal in [&["crm", "0005"][..], &["auth"]] {
                    let mut command = Command::new(self.tools.python());
                    command.args(["manage.py", "migrate"]).args(goal).current_dir(project);
                    command
                        .env("CRM_HOST", "127.0.0.1")
                        .env("CRM_PORT", self.port.to_string())
                        .env("CRM_NAME", database);
                    run(&mut command)?;
                }
            }
            Real::Prisma => self.prisma(&project.join("prisma/migrations"), &url)?,
        }
        Ok(())
    }

    /// With one migration that failed and was rolled back, and one that failed because somebody had done its work.
    fn prisma(&self, migrations: &Path, url: &str) -> anyhow::Result<()> {
        let engine = |more: &[&str]| {
            run(Command::new("node").arg(self.tools.node("prisma.mjs")).arg(url).arg(migrations).args(more))
        };
        let psql = |text: &str| {
            run(Command::new(self.server.binaries().program("psql")).args(["-q", "-c", text, url]))
        };
        let image = "20251225143914_add_image_engine_models";
        for (at, name) in PRISMA.iter().enumerate() {
            let only = PRISMA[..=at].join(",");
            if *name == image {
                psql("CREATE TABLE \"Image\" ()")?;
                anyhow::ensure!(engine(&["--only", &only]).is_err(), "a table in the way is no failure");
                psql("DROP TABLE \"Image\"")?;
                engine(&["--rolled-back", image])?;
            }
            engine(&["--only", &only])?;
        }
        psql("ALTER TYPE \"Role\" ADD VALUE 'PREMIUM'")?;
        let all = format!("{},add_role_premium", PRISMA.join(","));
        anyhow::ensure!(engine(&["--only", &all]).is_err(), "a value that is there is no failure");
        Ok(())
    }

    /// Writes what the tests run on.
    fn record(&self, project: &Path, database: &str) -> anyhow::Result<()> {
        let program = self.server.binaries().program("pg_dump");
        let dump =
            run(Command::new(program).args(["--inserts", "--no-owner"]).arg(self.server.url(database)))?;
        let kept = dump
            .lines()
            .filter(|line| !line.starts_with('\\') && !line.starts_with("--") && !line.is_empty());
        let folder = fixture(self.tool.name());
        std::fs::write(
            folder.join("database.sql"),
            kept.map(|line| format!("{line}\n")).collect::<String>(),
        )?;
        let printed = match self.tool {
            Real::Alembic => {
                let program = self.tools.python().with_file_name("alembic");
                run(Command::new(program).args(["upgrade", "base:heads", "--sql"]).current_dir(project))?
            }
            Real::Django => {
                self.server.create_database("django_export")?;
                let names = serde_json::json!({"HOST": self.server.socket_dir(), "PORT": "", "NAME": "django_export", "USER": "postgres"});
                let mut command = Command::new(self.tools.python());
                command
                    .args(["-c", adopt::DJANGO_SCRIPT])
                    .current_dir(project)
                    .env("PGDEPLOY_SCRATCH", names.to_string());
                run(&mut command)?
            }
            _ => return Ok(()),
        };
        Ok(std::fs::write(folder.join("offline.sql"), printed)?)
    }

    fn pgdeploy(&self, project: &Path, database: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(self.pgdeploy);
        command.args(arguments).current_dir(project).env("DEV_DATABASE_URL", self.server.url(database));
        run(&mut command).with_context(|| format!("pgdeploy {}", arguments.first().unwrap_or(&"")))
    }

    async fn number(&self, database: &str, text: &str) -> anyhow::Result<i64> {
        let target = Target::parse(&SecretString::from(self.server.url(database)))?;
        Ok(target.connect("bench").await?.one(text).await?.try_get(0)?)
    }

    /// The catalog without the tools' own tables.
    async fn fingerprint(&self, database: &str) -> anyhow::Result<Fingerprint> {
        let own = [
            "pgdeploy",
            "public._sqlx_migrations",
            "public.schema_migrations",
            "public.refinery_schema_history",
            "public.alembic_version",
            "public.django_migrations",
            "public.django_migrations_id_seq",
            "public._prisma_migrations",
        ];
        let target = Target::parse(&SecretString::from(self.server.url(database)))?;
        Ok(Fingerprint::of(&mut target.connect("bench").await?, &own).await?)
    }
}

fn fixture(tool: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/adopt").join(tool)
}
