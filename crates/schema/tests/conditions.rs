//! Files that wait for something.

use anyhow::Result;
use schema::Event;

use crate::database::{Database, files, with};

async fn reason(database: &Database, named: &[(&str, &str)]) -> Result<String> {
    let plan = database.plan(&files(named)?).await?;
    assert!(plan.pending.is_empty(), "{:#?}", plan.pending);
    Ok(plan.deferred.first().map(|deferred| deferred.reason.clone()).unwrap_or_default())
}

#[tokio::test]
async fn a_file_whose_condition_is_not_true_is_deferred_and_told() -> Result<()> {
    let database = Database::new("when_unmet", "CREATE TABLE users (id int)").await?;
    let file = with("when: exists (select from users)", "CREATE TABLE late (a int)");
    let named = [("1_late", file.as_str())];
    assert_eq!(reason(&database, &named).await?, "when: exists (select from users)");
    assert!(database.applied(&named).await?.is_empty());
    let told = |event: &Event| matches!(event, Event::Deferred { migration, .. } if migration == "1_late");
    assert!(database.events().iter().any(told), "{:#?}", database.events());
    database.sql("INSERT INTO users VALUES (1)").await?;
    assert_eq!(database.applied(&named).await?, ["1_late"]);
    Ok(())
}

#[tokio::test]
async fn a_condition_that_an_earlier_file_of_the_run_makes_true_is_met() -> Result<()> {
    let database = Database::new("when_same_run", "").await?;
    let file = with("when: (select count(*) = 1 from made)", "CREATE TABLE late (a int)");
    let named = [("1_made", "CREATE TABLE made AS SELECT 1 AS a"), ("2_late", file.as_str())];
    let plan = database.plan(&files(&named)?).await?;
    assert!(plan.deferred[0].reason.contains("cannot be asked yet"), "{:?}", plan.deferred);
    assert!(plan.deferred[0].reason.contains("does not exist (42P01)"), "{:?}", plan.deferred);
    assert_eq!(database.applied(&named).await?, ["1_made", "2_late"]);
    Ok(())
}

#[tokio::test]
async fn a_condition_without_a_true_answer_defers_its_file_and_nothing_else() -> Result<()> {
    let setup = "CREATE ROLE when_weak LOGIN; CREATE TABLE secret (a int); CREATE TABLE locked (a int); GRANT SELECT ON locked TO when_weak; \
        GRANT CREATE ON DATABASE when_answers TO when_weak; GRANT CREATE ON SCHEMA public TO when_weak";
    let database = Database::of_role("when_answers", setup, "when_weak").await?;
    let mut holder = database.session().await?;
    holder.run("BEGIN; LOCK TABLE locked").await?;
    let conditions = [
        ("NULL", "when: 'NULL'"),
        ("division by zero (22012)", "when: 1/0 = 1"),
        ("permission denied for table secret (42501)", "when: exists (select from secret)"),
        ("lock timeout (55P03)", "when: exists (select from locked)"),
        ("read-only transaction (25006)", "when: nextval('pgdeploy.counter') > 0"),
    ];
    database.lock.session("test").await?.run("CREATE SEQUENCE pgdeploy.counter").await?;
    for (said, header) in conditions {
        let file = with(header, "SELECT 1");
        let reason = reason(&database, &[("1_waits", &file)]).await?;
        assert!(reason.contains(said), "{header}: {reason}");
        let named = [("1_waits", file.as_str()), ("2_free", "CREATE TABLE IF NOT EXISTS free (a int)")];
        let first = database.one("SELECT count(*) FROM pgdeploy.migrations").await? == "0";
        assert_eq!(database.applied(&named).await?.len(), usize::from(first), "{header}");
    }
    Ok(())
}

#[tokio::test]
async fn a_file_waits_for_a_backfill_until_it_is_proven_complete() -> Result<()> {
    let mut database = Database::new("when_backfill", "").await?;
    let file = with("requires_backfill: [0001_emails]", "CREATE TABLE strict (a int)");
    let named = [("1_strict", file.as_str())];
    assert_eq!(
        reason(&database, &named).await?,
        "waits for the backfill 0001_emails: nothing is known of it"
    );
    database.backfills.insert("0001_emails".into(), Some("62 % done".into()));
    assert_eq!(reason(&database, &named).await?, "waits for the backfill 0001_emails: 62 % done");
    assert!(database.applied(&named).await?.is_empty());
    database.backfills.insert("0001_emails".into(), None);
    assert_eq!(database.applied(&named).await?, ["1_strict"]);
    Ok(())
}

#[tokio::test]
async fn a_condition_is_asked_where_the_files_are_run() -> Result<()> {
    let mut database = Database::new("when_path", "CREATE SCHEMA app; CREATE TABLE app.here (a int)").await?;
    database.settings.search_path = Some("\"app\"".into());
    let file = with("when: to_regclass('here') is not null", "ALTER TABLE here ADD b int");
    assert_eq!(database.applied(&[("1_here", &file)]).await?, ["1_here"]);
    Ok(())
}
