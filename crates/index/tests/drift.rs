//! Valid indexes that were there before: as declared, or not.

use anyhow::Result;
use index::{Settled, State};

use crate::database::{Database, only};

#[tokio::test]
async fn another_spelling_of_the_same_index_is_unchanged_and_compared_only_once() -> Result<()> {
    let setup =
        "CREATE TABLE t (a int, b text); CREATE INDEX i ON t USING btree (lower(b), a ASC) WHERE a > 0";
    let database = Database::new("drift_spelling", setup).await?;
    let text = "create index i on public.T (Lower(b),a) where (a>0)";
    for _ in 0..2 {
        let outcome = database.run(text).await?;
        assert_eq!(only(&outcome)?.outcome, Settled::Unchanged, "{outcome:#?}");
    }
    assert_eq!(database.logged("CREATE INDEX \"i\" ON \"pg_temp\"")?, 1);
    assert_eq!(
        database.one("SELECT count(*) FROM pgdeploy.index_builds WHERE action = 'compare'").await?,
        "1"
    );
    Ok(())
}

#[tokio::test]
async fn another_index_under_the_name_is_left_alone_and_told_with_both_texts() -> Result<()> {
    let database =
        Database::new("drift_other", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a)").await?;
    let text = "CREATE UNIQUE INDEX i ON t (b)";
    for _ in 0..2 {
        let outcome = database.run(text).await?;
        assert_eq!(only(&outcome)?.outcome, Settled::Drifted, "{outcome:#?}");
        let message = &outcome.warnings[0].message;
        assert!(message.contains("there:    CREATE INDEX i ON public.t USING btree (a)"), "{message}");
        assert!(message.contains("declared: CREATE UNIQUE INDEX i ON public.t USING btree (b)"), "{message}");
    }
    assert_eq!(database.plan(text).await?.items()[0].state, State::Drifted, "known without asking again");
    assert_eq!(database.one("SELECT pg_get_indexdef('i'::regclass) LIKE '%(a)'").await?, "true");
    // Put right by hand, it is as declared.
    database.sql("DROP INDEX i; CREATE UNIQUE INDEX i ON t (b)").await?;
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Unchanged);
    Ok(())
}

#[tokio::test]
async fn a_declaration_that_no_longer_fits_its_table_is_told_with_the_words_of_the_server() -> Result<()> {
    let database = Database::new("drift_renamed", "CREATE TABLE t (a int)").await?;
    let text = "CREATE INDEX i ON t (a)";
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Built);
    database.sql("ALTER TABLE t RENAME COLUMN a TO b").await?;
    let outcome = database.run(text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Failed, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("column \"a\" does not exist (42703)"), "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_temporary_tables_name_and_validity_have_to_do() -> Result<()> {
    let setup = "CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE drift_uncompared TO plain; \
                 REVOKE TEMPORARY ON DATABASE drift_uncompared FROM PUBLIC; \
                 CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t OWNER TO plain";
    let database = Database::of_role("drift_uncompared", setup, "plain").await?;
    let outcome = database.run("CREATE INDEX i ON t (a)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Uncompared, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("42501"), "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn a_tablespace_is_compared_where_the_declaration_names_one() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let account = scratch::Account::for_server().map_err(|error| anyhow::anyhow!("{error}"))?;
    if account.is_other() {
        std::os::unix::fs::chown(directory.path(), Some(account.uid()), Some(account.gid()))?;
    }
    let database =
        Database::new("drift_tablespace", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a)").await?;
    database.sql(&format!("CREATE TABLESPACE fast LOCATION '{}'", directory.path().display())).await?;
    assert_eq!(only(&database.run("CREATE INDEX i ON t (a)").await?)?.outcome, Settled::Unchanged);
    let text = "CREATE INDEX i ON t (a) TABLESPACE fast";
    let outcome = database.run(text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Drifted, "{outcome:#?}");
    assert!(
        outcome.warnings[0]
            .message
            .contains("declared: CREATE INDEX i ON public.t USING btree (a) TABLESPACE fast"),
        "{outcome:#?}"
    );
    let replaced = database.run(&format!("-- pgdeploy:\n--   on_drift: replace\n{text}")).await?;
    assert_eq!(only(&replaced)?.outcome, Settled::Replaced, "{replaced:#?}");
    for text in [text, "CREATE INDEX i ON t (a)"] {
        assert_eq!(
            only(&database.run(text).await?)?.outcome,
            Settled::Unchanged,
            "where none is named any will do"
        );
    }
    assert_eq!(
        only(&database.run("CREATE INDEX j ON t (b) TABLESPACE fast").await?)?.outcome,
        Settled::Built
    );
    database.sql("DROP INDEX i, j").await?;
    database.sql("DROP TABLESPACE fast").await?;
    Ok(())
}
