//! What only the server knows to be impossible: a warning with PostgreSQL's own words, and the others are built.

use anyhow::Result;
use index::{Settled, State};

use crate::database::Database;

#[tokio::test]
async fn bad_definitions_are_told_at_their_place_and_the_others_are_built() -> Result<()> {
    let setup = "CREATE TABLE t (a int, b text, at timestamptz)";
    let database = Database::new("refusals_definition", setup).await?;
    let text = "CREATE INDEX i1 ON t (a, -- é\n  bb);\nCREATE INDEX i2 ON t (a) WHERE at > now();\n\
                CREATE INDEX i3 ON t USING gin (b);\nCREATE INDEX i4 ON t USING nothing (b);\nCREATE INDEX good ON t (b);";
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes[..4], [Settled::Failed; 4], "{outcome:#?}");
    assert_eq!(outcomes[4], Settled::Built);
    let expected = [
        "index i1 on t failed: column \"bb\" does not exist (42703)",
        "indexes/a.sql:3:1: index i2 on t failed: functions in index predicate must be marked IMMUTABLE (42P17)",
        "indexes/a.sql:4:1: index i3 on t failed: data type text has no default operator class for access method \"gin\" (42704)",
        "indexes/a.sql:5:1: index i4 on t failed: access method \"nothing\" does not exist (42704)",
    ];
    assert_eq!(outcome.warnings.len(), expected.len());
    for (warning, expected) in outcome.warnings.iter().zip(expected) {
        assert!(warning.message.contains(expected), "{}", warning.message);
        assert_eq!(warning.next.as_deref(), Some("correct the definition, then pgdeploy deploy --env {env}"));
    }
    assert_eq!(database.invalid().await?, "0");
    Ok(())
}

#[tokio::test]
async fn a_position_that_the_server_gives_is_one_in_the_file() -> Result<()> {
    let database = Database::new("refusals_position", "CREATE TABLE t (a int)").await?;
    let outcome = database.run("-- é\nCREATE INDEX i1 ON t (a)\n  WHERE 'é' = '' AND nothing(a);").await?;
    let problem = outcome.items[0].problem.as_ref().and_then(sql::Problem::place);
    assert_eq!(problem, Some(sql::Place { line: 3, column: 22 }), "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn taken_names_and_impossible_tables_are_told_for_what_they_are() -> Result<()> {
    let setup = "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE SEQUENCE i1; CREATE VIEW i2 AS SELECT 1; \
                 CREATE INDEX i3 ON u (a); CREATE VIEW v AS SELECT 1 AS a; CREATE TABLE p (a int) PARTITION BY RANGE (a)";
    let database = Database::new("refusals_taken", setup).await?;
    let text = "CREATE INDEX i1 ON t (a);CREATE INDEX i2 ON t (a);CREATE INDEX i3 ON t (a);CREATE INDEX i4 ON v (a);\
                CREATE INDEX i5 ON nowhere (a);CREATE INDEX i6 ON p (a);";
    let states: Vec<_> = database.plan(text).await?.items().iter().map(|item| item.state).collect();
    let (taken, bad) = (State::NameTaken, State::BadTable);
    assert_eq!(states, [taken, taken, taken, bad, State::NoTable, State::Partitioned]);
    let outcome = database.run(text).await?;
    let expected = [
        "the name i1 belongs to a sequence",
        "the name i2 belongs to a view",
        "the name i3 belongs to an index of u",
        "v is a view, which cannot have an index",
        "table nowhere does not exist",
    ];
    assert_eq!(outcome.warnings.len(), expected.len());
    for (warning, expected) in outcome.warnings.iter().zip(expected) {
        assert!(warning.message.contains(expected), "{}", warning.message);
        assert!(warning.next.is_some());
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_does_not_own_the_table_is_told_so() -> Result<()> {
    let setup =
        "CREATE ROLE tenant LOGIN; GRANT CREATE ON DATABASE refusals_owner TO tenant; CREATE TABLE t (a int)";
    let database = Database::of_role("refusals_owner", setup, "tenant").await?;
    let outcome = database.run("CREATE INDEX i1 ON t (a)").await?;
    let message = &outcome.warnings[0].message;
    assert!(message.contains("t belongs to postgres: only its owner can build an index"), "{message}");
    Ok(())
}
