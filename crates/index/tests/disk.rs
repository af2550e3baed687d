//! Disks that are too small.

use anyhow::Result;
use index::{Settled, State};
use scratch::Server;

use crate::database::{Database, only};

/// No file of the server may grow beyond this from now on: more than a segment of the log, less than the index, and no
/// whole number of blocks, so that the kernel cuts a write short as a disk does that is full.
const MOST: u64 = 17 * 1024 * 1024 + 4096;

#[tokio::test]
async fn a_disk_that_is_full_fails_the_index_with_the_servers_words_and_leaves_nothing() -> Result<()> {
    let server = Server::throwaway()?;
    // It is about the write that fails, not about the estimate that would have seen it.
    let setup = "CREATE TABLE t AS SELECT g AS a, 1 AS b FROM generate_series(1, 1000000) g; \
                 CREATE TABLE small AS SELECT 1 AS a";
    let database = Database::on(&server, "disk_full", setup, "postgres").await?;
    // Only the index is to be written under the limit.
    database.sql("VACUUM t").await?;
    database.sql("CHECKPOINT").await?;
    if !trial::files_end_at(&server, Some(MOST))? {
        return Ok(());
    }
    let outcome = database.run("CREATE INDEX t_a ON t (a);\nCREATE INDEX small_a ON small (a);").await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| (item.outcome, item.attempts)).collect();
    assert_eq!(outcomes, [(Settled::Failed, 1), (Settled::Built, 1)], "{outcome:#?}");
    let warning = &outcome.warnings[0];
    assert!(warning.message.starts_with("indexes/a.sql:1:1: index t_a on t failed: "), "{warning:?}");
    assert!(warning.message.contains("53100"), "{warning:?}");
    assert_eq!(warning.next.as_deref(), Some("free disk space, then pgdeploy deploy --env {env}"));
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname = 't_a'").await?, "0");
    Ok(())
}

#[tokio::test]
async fn an_index_that_the_disk_cannot_hold_is_not_begun() -> Result<()> {
    let setup = "CREATE TABLE t AS SELECT g AS a, g AS b FROM generate_series(1, 10) g; ANALYZE t; \
                 UPDATE pg_class SET reltuples = 1e14 WHERE relname = 't'";
    let database = Database::new("disk_estimate", setup).await?;
    let outcome = database.run("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Failed, 0), "{outcome:#?}");
    let message = &outcome.warnings[0].message;
    assert!(message.contains("the build needs at least ") && message.contains("MiB left"), "{message}");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 0);
    assert_eq!(database.plan("CREATE INDEX t_a ON t (a)").await?.items()[0].state, State::Missing);
    Ok(())
}

#[tokio::test]
async fn a_limit_on_temporary_files_fails_the_index_without_another_try() -> Result<()> {
    let setup = "CREATE ROLE thrifty LOGIN SUPERUSER; ALTER ROLE thrifty SET temp_file_limit = '1MB'; \
                 ALTER ROLE thrifty SET maintenance_work_mem = '1MB'; \
                 CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 200000) g";
    let database = Database::of_role("disk_temporary", setup, "thrifty").await?;
    let outcome = database.run("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Failed, 1), "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("53400"), "{outcome:#?}");
    assert_eq!(database.invalid().await?, "0");
    Ok(())
}
