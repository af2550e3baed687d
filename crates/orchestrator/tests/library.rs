//! The deploy as other programs use it.

extern crate pgdeploy_orchestrator as orchestrator;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator::Verdict;
use postgres::{Row, Session, Target};
use scratch::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// The guard would refuse to sleep on a lock.
const SLOW: &str = "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time to be interrupted\nALTER TABLE t ADD COLUMN a int; SELECT pg_sleep(20);";

fn project(server: &Server, database: &str, files: &[(&str, &str)]) -> Result<tempfile::TempDir> {
    server.create_database(database)?;
    let directory = tempfile::tempdir()?;
    let pipeline = format!(
        "version: 1\nname: service\nenvironments:\n  production: {{ database: \"{}\" }}\n",
        server.url(database)
    );
    std::fs::write(directory.path().join("pipeline.yaml"), pipeline)?;
    std::fs::create_dir(directory.path().join("migrations"))?;
    for (name, text) in files {
        std::fs::write(directory.path().join("migrations").join(name), text)?;
    }
    Ok(directory)
}

async fn session(server: &Server, database: &str) -> Result<Session> {
    Ok(Target::parse(&SecretString::from(server.url(database)))?.connect("test").await?)
}

async fn number(session: &mut Session, text: &str) -> Result<i64> {
    Ok(session.one(text).await?.try_get(0)?)
}

/// Built beside this test.
fn example() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.parent().and_then(Path::parent).context("a target directory")?;
    Ok(target.join("examples/embedded_in_a_service"))
}

#[test]
fn a_service_deploys_for_itself_and_serves() -> Result<()> {
    let server = Server::throwaway()?;
    let directory = project(&server, "service", &[("0001_t.sql", "CREATE TABLE t (id int);")])?;
    let start = |environment: &str| {
        Command::new(example()?)
            .arg(directory.path().join("pipeline.yaml"))
            .arg(environment)
            .output()
            .context("the example")
    };
    let first = String::from_utf8(start("production")?.stdout)?;
    ensure!(first.contains("applied 0001_t in") && first.ends_with("serving\n"), "{first}");
    let second = String::from_utf8(start("production")?.stdout)?;
    ensure!(second == "serving\n", "{second}");
    std::fs::write(directory.path().join("migrations/0002_u.sql"), "ALTER TABLE nowhere ADD COLUMN a int;")?;
    let failed = start("production")?;
    ensure!(!failed.status.success() && failed.stdout.is_empty(), "it does not serve after a failed gate");
    ensure!(!start("elsewhere")?.status.success());
    Ok(())
}

#[tokio::test]
async fn a_deploy_that_is_dropped_in_the_middle_leaves_the_next_one_nothing_to_mend() -> Result<()> {
    let server = Server::throwaway()?;
    let files = [("0001_t.sql", "CREATE TABLE t (id int);"), ("0002_slow.sql", SLOW)];
    let directory = project(&server, "dropped", &files)?;
    let pipeline = pipeline::load(&directory.path().join("pipeline.yaml"))?;
    let stop = CancellationToken::new();
    let mut looker = session(&server, "dropped").await?;
    {
        let deploy = orchestrator::deploy_environment(&pipeline, "production", &|_| {}, &stop);
        tokio::pin!(deploy);
        let sleeping =
            trial::until_true(&mut looker, "count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        tokio::select! {
            report = &mut deploy => anyhow::bail!("it ended: {report:?}"),
            slept = sleeping => slept?,
        }
    }
    std::fs::write(directory.path().join("migrations/0002_slow.sql"), "ALTER TABLE t ADD COLUMN a int;")?;
    // The lock is given back with the future; the orphan's statement ends within about a second.
    let report = loop {
        let report = orchestrator::deploy_environment(&pipeline, "production", &|_| {}, &stop).await?;
        if report.verdict != Verdict::TryAgain {
            break report;
        }
    };
    ensure!(report.verdict == Verdict::Succeeded, "{report:?}");
    ensure!(number(&mut looker, "SELECT count(*) FROM pgdeploy.migrations").await? == 2);
    ensure!(
        number(&mut looker, "SELECT count(*) FROM pgdeploy.deployments WHERE status = 'interrupted'").await?
            == 1
    );
    Ok(())
}

#[tokio::test]
async fn a_token_stops_it_at_a_safe_point() -> Result<()> {
    let server = Server::throwaway()?;
    let directory =
        project(&server, "stopped", &[("0001_t.sql", "CREATE TABLE t (id int);"), ("0002_slow.sql", SLOW)])?;
    let pipeline = pipeline::load(&directory.path().join("pipeline.yaml"))?;
    let stop = CancellationToken::new();
    let begun = stop.clone();
    let observer = move |record: &orchestrator::Record| {
        if matches!(&record.event, orchestrator::Event::Schema(orchestrator::schema::Event::Started { .. })) {
            begun.cancel();
        }
    };
    let report = orchestrator::deploy_environment(&pipeline, "production", &observer, &stop).await?;
    ensure!(report.verdict == Verdict::Interrupted, "{report:?}");
    ensure!(report.duration < Duration::from_secs(15));
    Ok(())
}
