//! What runs before what, and in which phase.

use anyhow::Result;
use schema::Phase;

use crate::database::{Database, files, with};

#[tokio::test]
async fn a_file_runs_after_what_it_requires() -> Result<()> {
    let database = Database::new("order_requires", "").await?;
    let first = with("requires: [2_table]", "ALTER TABLE t ADD b int");
    let applied = database.applied(&[("1_column", &first), ("2_table", "CREATE TABLE t (a int)")]).await?;
    assert_eq!(applied, ["2_table", "1_column"]);
    let requires = "SELECT requires FROM pgdeploy.migrations WHERE version = 1";
    assert_eq!(database.one(requires).await?, "{2_table}");
    Ok(())
}

#[tokio::test]
async fn what_requires_a_deferred_file_is_deferred_with_it_and_comes_later_without_being_out_of_order()
-> Result<()> {
    let database = Database::new("order_deferred", "").await?;
    let waits = with("when: to_regclass('public.ready') is not null", "CREATE TABLE one (a int)");
    let behind = with("requires: [1_waits]", "ALTER TABLE one ADD b int");
    let named = [("1_waits", waits.as_str()), ("2_behind", &behind), ("3_free", "CREATE TABLE free (a int)")];
    let plan = database.plan(&files(&named)?).await?;
    let reasons: Vec<_> = plan.deferred.iter().map(|deferred| deferred.reason.as_str()).collect();
    assert_eq!(reasons[1], "requires 1_waits, which is deferred", "{reasons:?}");
    assert_eq!(database.applied(&named).await?, ["3_free"]);
    database.sql("CREATE TABLE ready (a int)").await?;
    assert_eq!(database.applied(&named).await?, ["1_waits", "2_behind"]);
    assert_eq!(database.applied(&named).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn files_of_the_post_phase_run_in_the_post_phase_alone() -> Result<()> {
    let database = Database::new("order_post", "").await?;
    let post = with("phase: post", "ALTER TABLE t DROP a");
    let named = [("1_post", post.as_str()), ("2_table", "CREATE TABLE t (a int, b int)")];
    let plan = database.plan(&files(&named)?).await?;
    let done = database.run_plan(&plan, Phase::Pre).await?;
    assert_eq!(done.iter().map(|done| done.migration.as_str()).collect::<Vec<_>>(), ["2_table"]);
    let done = database.run_plan(&plan, Phase::Post).await?;
    assert_eq!(done.iter().map(|done| done.migration.as_str()).collect::<Vec<_>>(), ["1_post"]);
    assert_eq!(database.one("SELECT phase FROM pgdeploy.migrations WHERE version = 1").await?, "post");
    assert!(database.plan(&files(&named)?).await?.findings.is_empty(), "a later deploy finds nothing wrong");
    Ok(())
}

#[tokio::test]
async fn a_file_of_the_post_phase_does_not_run_without_the_one_before_that_it_requires() -> Result<()> {
    let database = Database::new("order_post_requires", "").await?;
    let waits = with("when: to_regclass('public.ready') is not null", "CREATE TABLE one (a int)");
    let post = with("phase: post\nrequires: [1_waits]", "CREATE TABLE two (a int)");
    let named = [("1_waits", waits.as_str()), ("2_post", &post)];
    let plan = database.plan(&files(&named)?).await?;
    assert!(database.run_plan(&plan, Phase::Pre).await?.is_empty());
    assert!(database.run_plan(&plan, Phase::Post).await?.is_empty());
    database.sql("CREATE TABLE ready (a int)").await?;
    // The plan is the one of before: the first file's time comes while the deploy runs.
    assert_eq!(database.run_plan(&plan, Phase::Pre).await?.len(), 1);
    assert_eq!(database.run_plan(&plan, Phase::Post).await?.len(), 1);
    assert_eq!(database.history().await?, "1_waits applied, 2_post applied");
    Ok(())
}

#[tokio::test]
async fn the_first_failure_ends_the_stage_and_what_was_before_it_is_told() -> Result<()> {
    let database = Database::new("order_failure", "").await?;
    let named = [
        ("1_a", "CREATE TABLE a (i int)"),
        ("2_b", "CREATE TABLE a (i int)"),
        ("3_c", "CREATE TABLE c (i int)"),
    ];
    let error = database.run(&named).await?.unwrap_err();
    assert_eq!((error.failure.code(), error.applied.len()), ("E108", 1));
    assert_eq!(database.history().await?, "1_a applied");
    assert_eq!(database.one("SELECT to_regclass('c')").await?, "NULL");
    Ok(())
}
