//! What becomes of a backfill where a replica is late, where it is gone, and where it takes over (scenarios 21, 22, 30).

use std::time::Duration;

use anyhow::Result;
use backfill::Verdict;
use scratch::Mode;
use trial::until_true;

use crate::bench::{Bench, COUNTING, held_up, only};
use crate::pair::Pair;

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];
const ROWS: u32 = 10_000;

async fn pair(name: &'static str) -> Result<(Pair, Bench)> {
    let (pair, mut bench) = Pair::new(name, ROWS).await?;
    bench.slow();
    bench.settings.throttle.every = Duration::from_millis(50);
    Ok((pair, bench))
}

#[tokio::test]
async fn a_replica_that_applies_late_holds_it_up_until_it_has_caught_up() -> Result<()> {
    let (pair, mut bench) = pair("replicas_late").await?;
    let mut standby = pair.on_standby().await?;
    standby.run("ALTER SYSTEM SET recovery_min_apply_delay = '1s'").await?;
    standby.run("SELECT pg_reload_conf()").await?;
    bench.settings.throttle.replica_lag = Some(Duration::from_millis(500));
    bench.settings.pause = Duration::from_millis(30);
    let run = bench.beside(&FILES).await?;
    held_up(&mut bench, &FILES, "a replica is").await?;
    let done = bench.number("SELECT count(*) FROM t WHERE done").await?;
    assert!(done < i64::from(ROWS), "{done}");
    standby.run("ALTER SYSTEM RESET recovery_min_apply_delay").await?;
    standby.run("SELECT pg_reload_conf()").await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, i64::from(ROWS));
    Ok(())
}

#[tokio::test]
async fn a_replica_that_is_gone_holds_it_up_until_it_is_back() -> Result<()> {
    let (mut pair, mut bench) = pair("replicas_gone").await?;
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t WHERE done").await?;
    pair.standby.stop(Mode::Immediate)?;
    held_up(&mut bench, &FILES, "a replica has vanished: replica").await?;
    let standing = bench.standing(&FILES).await?.remove(0);
    assert!(standing.reasons.iter().any(|one| one.contains("replication slot pair")), "{standing:?}");
    pair.standby.start()?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, i64::from(ROWS));
    Ok(())
}

#[tokio::test]
async fn a_failover_in_mid_run_is_followed_to_the_new_primary() -> Result<()> {
    let (mut pair, mut bench) = pair("replicas_failover").await?;
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 3000 FROM t WHERE done").await?;
    // The last transactions may not have come over: cursor and rows are lost together.
    pair.primary.stop(Mode::Immediate)?;
    pair.leads_to_the_standby()?;
    let mut standby = pair.on_standby().await?;
    // It is tried before anybody has promoted it: nothing can be written there yet.
    let tried = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill'";
    until_true(&mut standby, tried).await?;
    standby.run("SELECT pg_promote()").await?;
    let outcome = run.await?;
    assert_eq!(
        (only(&outcome).outcome, only(&outcome).rows),
        (Verdict::Complete, u64::from(ROWS)),
        "{outcome:?}"
    );
    bench.admin = bench.other().await?;
    assert_eq!(bench.touched(1).await?, i64::from(ROWS));
    assert_eq!(bench.number("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)").await?, 2);
    Ok(())
}
