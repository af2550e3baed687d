//! A disk that is full (scenario 36).

use anyhow::Result;
use backfill::Verdict;
use scratch::Server;

use crate::bench::Bench;

/// Larger than a segment of the log, smaller than the table will be, and no whole number of blocks.
const MOST: u64 = 17 * 1024 * 1024 + 4096;

#[tokio::test]
async fn a_full_disk_ends_the_stage_and_the_next_run_goes_on_where_it_was() -> Result<()> {
    let server = Server::throwaway()?;
    server.create_database("disk_full")?;
    let mut bench = Bench::at(server.url("disk_full")).await?;
    bench.count(8_000).await?;
    bench
        .sql(
            "ALTER TABLE t ADD filler text NOT NULL DEFAULT ''; ALTER TABLE t ALTER filler SET STORAGE PLAIN",
        )
        .await?;
    bench.ledger().await?;
    let widening =
        "UPDATE t SET touched = touched + 1, done = true, filler = repeat('x', 3000) WHERE NOT done";
    let files = [("0001_a.sql", widening), ("0002_b.sql", "UPDATE t SET touched = 0 WHERE touched > 1")];
    if !trial::files_end_at(&server, Some(MOST))? {
        return Ok(());
    }
    let outcome = bench.run_files(&files).await?;
    if outcome.warnings[0].message.contains("File too large (XX000)") {
        // From 16 on the server takes this kind of full disk for another error than a full disk.
        eprintln!("SKIPPED: this server cannot be shown a full disk with a limit on the size of files");
        return Ok(());
    }
    let verdicts: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(verdicts, [Verdict::Incomplete, Verdict::Incomplete], "{outcome:?}");
    let (full, next) = (&outcome.warnings[0], &outcome.warnings[1]);
    assert!(full.code == "W201" && full.message.contains("53100"), "{full:?}");
    let advice = full.next.as_deref().unwrap_or_default();
    assert!(advice.starts_with("free disk space, then"), "{advice}");
    assert!(next.message.contains("not begun: ") && next.message.contains("53100"), "{next:?}");
    let done = bench.number("SELECT count(*) FROM t WHERE done").await?;
    assert!((100..8_000).contains(&done), "{done}");
    assert_eq!(bench.number("SELECT sum(rows_done) FROM pgdeploy.backfill_ranges").await?, done);
    trial::files_end_at(&server, None)?;
    let outcome = bench.run_files(&files).await?;
    assert_eq!((outcome.items[0].outcome, outcome.items[0].rows), (Verdict::Complete, 8_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 8_000);
    Ok(())
}
