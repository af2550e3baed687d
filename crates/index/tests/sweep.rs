//! What lies beside the declared indexes: leftovers, and the same index under another name.

use anyhow::Result;
use index::Settled;

use crate::database::{Database, only};

#[tokio::test]
async fn leftovers_of_reindex_are_dropped_and_what_only_looks_like_one_is_not() -> Result<()> {
    let setup = "CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE INDEX t_a ON t (a); \
                 CREATE INDEX t_a_ccnew ON t (a); CREATE INDEX t_a_ccold1 ON t (a); CREATE INDEX x_ccnewish ON t (b); \
                 CREATE INDEX y_ccnew ON t (b, a); CREATE UNIQUE INDEX odd ON t (a, b); CREATE INDEX u_a_ccnew ON u (a); \
                 CREATE INDEX t_a_dpold ON t (b); \
                 UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text IN ('t_a_ccnew', 't_a_ccold1', 'odd', 'u_a_ccnew')";
    let database = Database::new("sweep_reindex", setup).await?;
    let outcome = database.run("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Unchanged, "{outcome:#?}");
    let names = "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace";
    // A table of which nothing is declared is none of ours, and a name alone is no proof.
    assert_eq!(database.one(names).await?, "odd, t_a, t_a_dpold, u_a_ccnew, x_ccnewish, y_ccnew");
    assert_eq!(outcome.warnings.len(), 1, "{outcome:#?}");
    let warning = &outcome.warnings[0];
    assert!(
        warning
            .message
            .starts_with("index odd on t (8192 bytes) is invalid, and it rejects duplicate rows now"),
        "{warning:?}"
    );
    assert_eq!(warning.next.as_deref(), Some("DROP INDEX CONCURRENTLY \"public\".\"odd\";"));
    Ok(())
}

#[tokio::test]
async fn an_index_that_is_there_under_another_name_is_not_built_again() -> Result<()> {
    let database = Database::new(
        "sweep_covered",
        "CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX old ON t (lower(b::text))",
    )
    .await?;
    let text = "CREATE INDEX new ON t (lower((b)::text)); CREATE UNIQUE INDEX again ON t (a); CREATE INDEX plain ON t (a);";
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Covered, Settled::Covered, Settled::Built], "{outcome:#?}");
    assert!(
        outcome.warnings[0].message.contains("index new on t covered: not built: old is the same index"),
        "{outcome:#?}"
    );
    assert!(outcome.warnings[1].message.contains("t_pkey is the same index"), "{outcome:#?}");
    // A new name for an old index: built, then the old one dropped.
    let outcome = database.run("CREATE INDEX new ON t (lower((b)::text)); DROP INDEX old").await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Built, Settled::Dropped], "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn the_same_definition_under_two_names_is_warned_about() -> Result<()> {
    let setup = "CREATE TABLE t (a int); CREATE INDEX one ON t (a); CREATE INDEX two ON t (a)";
    let database = Database::new("sweep_twins", setup).await?;
    let outcome = database.run("CREATE INDEX one ON t (a); CREATE INDEX two ON t (a);").await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Unchanged), "{outcome:#?}");
    assert_eq!(outcome.warnings.len(), 1);
    assert!(outcome.warnings[0].message.ends_with("index two is the same as one"), "{outcome:#?}");
    Ok(())
}
