//! Servers that end in the middle of it, standbys that never answer (scenarios 3, 4, 5).

use std::time::Duration;

use anyhow::{Context, Result};
use backfill::Verdict;
use scratch::{Mode, Server};
use trial::{until, until_true};

use crate::bench::{Bench, COUNTING, kill, only};

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];

#[tokio::test]
async fn immediate_stops_of_the_server_cost_no_row_and_no_second_touch() -> Result<()> {
    let mut server = Server::builder().setting("wal_writer_delay", "500ms").start()?;
    server.create_database("restarts")?;
    let mut bench = Bench::at(server.url("restarts")).await?;
    bench.count(15_000).await?;
    bench.slow();
    let run = bench.beside(&FILES).await?;
    for round in 1..=6 {
        let mut watcher = None;
        until("the server is back", async || {
            watcher = bench.other().await.ok();
            Ok(watcher.is_some())
        })
        .await?;
        let mut watcher = watcher.context("a session")?;
        until_true(&mut watcher, &format!("SELECT count(*) >= {} FROM t WHERE done", round * 1_800)).await?;
        server = tokio::task::spawn_blocking(move || {
            server.restart(Mode::Immediate)?;
            anyhow::Ok(server)
        })
        .await??;
    }
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 15_000), "{outcome:?}");
    bench.admin = bench.other().await?;
    assert_eq!(bench.touched(1).await?, 15_000);
    Ok(())
}

#[tokio::test]
async fn a_synchronous_standby_that_is_not_there_holds_nothing_up() -> Result<()> {
    let server = Server::builder().setting("fsync", "off").start()?;
    server.create_database("ghost")?;
    let mut bench = Bench::at(server.url("ghost")).await?;
    bench.count(10_000).await?;
    bench.ledger().await?;
    bench.sql("ALTER SYSTEM SET synchronous_standby_names = 'ghost'").await?;
    bench.sql("SELECT pg_reload_conf()").await?;
    bench.slow();
    let (mut other, mut killed) = (bench.other().await?, 0);
    other.run("SET synchronous_commit = off").await?;
    until_true(&mut other, "SELECT current_setting('synchronous_standby_names') = 'ghost'").await?;
    let run = bench.beside(&FILES).await?;
    for round in 1..=8 {
        until_true(&mut other, &format!("SELECT count(*) >= {} FROM t WHERE done", round * 1_000)).await?;
        let end = if round % 2 == 0 { "pg_cancel_backend" } else { "pg_terminate_backend" };
        killed += kill(&mut other, end, 9).await?;
    }
    assert!(killed >= 8);
    let outcome = tokio::time::timeout(Duration::from_secs(60), run).await??;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 10_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 10_000);
    Ok(())
}
