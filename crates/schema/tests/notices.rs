//! What the server says while a file runs is kept with the file.

use anyhow::Result;
use postgres::Severity;
use schema::Event;

use crate::database::{Database, one_by_one};

fn said(database: &Database) -> Vec<(String, Severity, String)> {
    let notice = |event| match event {
        Event::Notice { migration, notice } => Some((migration, notice.severity, notice.message)),
        _ => None,
    };
    database.events().into_iter().filter_map(notice).collect()
}

fn own(migration: &str, severity: Severity, message: &str) -> (String, Severity, String) {
    (migration.to_owned(), severity, message.to_owned())
}

#[tokio::test]
async fn notices_are_told_with_the_file_that_caused_them() -> Result<()> {
    let database = Database::new("notices_whole", "CREATE TABLE t (a int)").await?;
    let first = "DO $$ BEGIN RAISE NOTICE 'hello %', 1; RAISE WARNING 'careful'; END $$; CREATE TABLE IF NOT EXISTS t (a int);";
    // A deferred trigger speaks at COMMIT.
    let second = "CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'at the end'; RETURN NULL; END $$; \
        CREATE CONSTRAINT TRIGGER speaks AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION speak(); INSERT INTO t VALUES (1);";
    database.applied(&[("1_a", first), ("2_b", second)]).await?;
    let expected = [
        own("1_a", Severity::Notice, "hello 1"),
        own("1_a", Severity::Warning, "careful"),
        own("1_a", Severity::Notice, "relation \"t\" already exists, skipping"),
        own("2_b", Severity::Notice, "at the end"),
    ];
    assert_eq!(said(&database), expected);
    Ok(())
}

#[tokio::test]
async fn notices_of_a_file_that_failed_are_told_too() -> Result<()> {
    let database = Database::new("notices_failed", "").await?;
    database.failure(&[("1_a", "DO $$ BEGIN RAISE NOTICE 'so far'; END $$; SELECT 1/0;")]).await?;
    assert_eq!(said(&database), [own("1_a", Severity::Notice, "so far")]);
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_gave_way_takes_its_own_notices_with_it_and_no_others() -> Result<()> {
    let database = Database::new("notices_retry", "CREATE SEQUENCE tries; CREATE TABLE t (a int)").await?;
    let text = one_by_one(
        "DO $$ BEGIN RAISE NOTICE 'first'; END $$;\n\
         DO $$ BEGIN RAISE NOTICE 'second'; IF nextval('tries') < 3 THEN RAISE SQLSTATE '40001'; END IF; END $$;\nVACUUM t;",
    );
    database.applied(&[("1_a", &text)]).await?;
    assert_eq!(
        said(&database),
        [own("1_a", Severity::Notice, "first"), own("1_a", Severity::Notice, "second")]
    );
    Ok(())
}
