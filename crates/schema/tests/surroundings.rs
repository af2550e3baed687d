//! As whom and where files run, and that nothing of one file is left for the next.

use anyhow::Result;
use schema::Event;

use crate::database::{Database, at_work, one_by_one};

const ROLES: &str = "DO $$ BEGIN CREATE ROLE builder; EXCEPTION WHEN duplicate_object THEN NULL; WHEN unique_violation THEN NULL; END $$; \
    CREATE SCHEMA app AUTHORIZATION builder";

#[tokio::test]
async fn files_run_as_the_role_and_in_the_schema_of_the_settings() -> Result<()> {
    let mut database = Database::new("surroundings_role", ROLES).await?;
    database.settings.role = Some("builder".into());
    database.settings.search_path = Some("\"app\", \"public\"".into());
    let named = [
        ("1_a", "CREATE TABLE a (i int)"),
        ("2_b", "ALTER TABLE a ADD j int; CREATE VIEW b AS SELECT * FROM a"),
    ];
    assert_eq!(database.applied(&named).await?.len(), 2);
    let owners = "SELECT string_agg(format('%s %s %s', relnamespace::regnamespace, relname, relowner::regrole), ', ' ORDER BY relname) FROM pg_class WHERE relname IN ('a', 'b')";
    assert_eq!(database.one(owners).await?, "app a builder, app b builder");
    // The role has no right to the ledger and needs none.
    assert_eq!(database.one("SELECT has_schema_privilege('builder', 'pgdeploy', 'USAGE')").await?, "false");
    Ok(())
}

#[tokio::test]
async fn statements_that_run_one_by_one_have_the_same_role_and_schema_each() -> Result<()> {
    let mut database = Database::new("surroundings_statements", ROLES).await?;
    database.settings.role = Some("builder".into());
    database.settings.search_path = Some("\"app\"".into());
    let text = one_by_one(
        "CREATE TABLE a (i int);\nCREATE INDEX CONCURRENTLY a_i ON a (i);\nCREATE TABLE b (i int);\nVACUUM a;\n\
         DO $$ BEGIN CREATE TABLE c (i int); END $$;\nDO $$ BEGIN CREATE TABLE d (i int); COMMIT; CREATE TABLE e (i int); END $$;",
    );
    assert_eq!(database.applied(&[("1_a", &text), ("2_b", "CREATE TABLE f (i int)")]).await?.len(), 2);
    let owned = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relowner = 'builder'::regrole";
    assert_eq!(database.one(owned).await?, "a a_i b c d e f");
    Ok(())
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_told_and_nothing_is_run() -> Result<()> {
    let mut database = Database::new("surroundings_nobody", "").await?;
    database.settings.role = Some("nobody_here".into());
    let failure = database.failure(&[("1_a", "CREATE TABLE a (i int)")]).await?;
    assert!(failure.to_string().contains("role \"nobody_here\" does not exist"), "{failure}");
    assert_eq!(database.history().await?, "");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_file_is_left_for_the_next() -> Result<()> {
    let database = Database::new("surroundings_reset", ROLES).await?;
    let leaves = "SELECT pg_catalog.set_config('search_path', '', false); SET statement_timeout = '5s'; SET lock_timeout = '1ms';
        SET statement_timeout = 0; SET client_encoding = 'LATIN1'; SET standard_conforming_strings = off;
        SET default_transaction_read_only = on; CREATE TEMP TABLE t AS SELECT 1 AS i; PREPARE p AS SELECT 1;
        SELECT pg_advisory_lock(77); DO $$ BEGIN EXECUTE 'LISTEN gossip'; END $$; SET ROLE builder; SET SESSION AUTHORIZATION builder;";
    let looks = "CREATE TABLE seen AS SELECT current_user::text AS who, session_user::text AS login, current_setting('search_path') AS path,
        current_setting('client_encoding') AS encoding, current_setting('standard_conforming_strings') AS strings,
        current_setting('lock_timeout') AS wait, to_regclass('pg_temp.t') AS temporary, (SELECT count(*) FROM pg_prepared_statements WHERE name = 'p') AS prepared,
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77) AS locks, (SELECT count(*) FROM pg_listening_channels()) AS listening";
    assert_eq!(database.applied(&[("1_leaves", leaves), ("2_looks", looks)]).await?.len(), 2);
    let seen = database.one("SELECT format('%s', seen) FROM seen").await?;
    assert_eq!(seen, "(postgres,postgres,\"\"\"$user\"\", public\",UTF8,on,500ms,,0,0,0)");
    let one_by_one = one_by_one(&leaves.replace("SET default_transaction_read_only = on;", ""));
    database.sql("DROP TABLE seen").await?;
    let named = [("1_leaves", leaves), ("2_looks", looks), ("3_leaves", &one_by_one), ("4_looks", looks)];
    assert_eq!(database.applied(&named).await?.len(), 2);
    assert_eq!(database.one("SELECT format('%s', seen) FROM seen").await?, seen);
    Ok(())
}

#[tokio::test]
async fn a_file_that_takes_another_identity_is_still_recorded_by_us() -> Result<()> {
    let database = Database::new("surroundings_identity", ROLES).await?;
    let named = [
        ("1_role", "SET ROLE builder; CREATE TABLE app.a (i int)"),
        ("2_login", "SET SESSION AUTHORIZATION builder; CREATE TABLE app.b (i int)"),
        ("3_path", "SET search_path = ''; SET row_security = off; CREATE TABLE app.c (i int)"),
        (
            "4_each",
            &one_by_one(
                "SET ROLE builder; SET search_path = app; CREATE TABLE d (i int); CREATE INDEX CONCURRENTLY d_i ON d (i)",
            ),
        ),
    ];
    assert_eq!(database.applied(&named).await?.len(), 4);
    let owned = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relowner = 'builder'::regrole";
    assert_eq!(database.one(owned).await?, "a b d d_i");
    Ok(())
}

#[tokio::test]
async fn a_function_that_somebody_has_planted_in_the_path_is_not_run_by_us() -> Result<()> {
    // Each fits better than PostgreSQL's own, which take arguments of any type.
    let planted = "CREATE TABLE planted (what text); CREATE TABLE t (a int); CREATE INDEX t_a ON t (a); \
        CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS \
          $$ BEGIN INSERT INTO planted VALUES ('unnest'); RETURN QUERY SELECT pg_catalog.unnest($1); END $$; \
        CREATE FUNCTION counted(bigint, int) RETURNS bigint LANGUAGE plpgsql AS \
          $$ BEGIN INSERT INTO planted VALUES ('count'); RETURN $1 + 1; END $$; \
        CREATE AGGREGATE count(int) (SFUNC = counted, STYPE = bigint, INITCOND = '0')";
    let database = Database::new("surroundings_planted", planted).await?;
    let drops = one_by_one("DROP INDEX CONCURRENTLY t_a");
    let named = [("1_a", drops.as_str()), ("2_b", "ALTER TABLE t ADD b int")];
    assert_eq!(database.applied(&named[..1]).await?.len(), 1);
    database
        .sql("UPDATE pgdeploy.migrations SET status = 'running', statements_done = 0, in_doubt = 1")
        .await?;
    // Whoever waits in front of others is looked at.
    let (mut reader, mut other) = (database.session().await?, database.session().await?);
    reader.run("BEGIN; SELECT * FROM t").await?;
    let waits = at_work("wait_event_type = 'Lock'");
    let (applied, read, freed) = tokio::join!(
        database.applied(&named),
        async {
            database.until(&waits).await?;
            anyhow::Ok(other.run("SELECT * FROM t").await?)
        },
        async {
            database.until_event(|event| matches!(event, Event::Retrying { .. })).await?;
            anyhow::Ok(reader.run("COMMIT").await?)
        }
    );
    read?;
    freed?;
    assert_eq!(applied?.len(), 2);
    assert_eq!(database.one("SELECT string_agg(DISTINCT what, ' ') FROM planted").await?, "NULL");
    Ok(())
}
