//! Several builds at once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use index::{Event, Settled};

use crate::database::{Database, SLOW};

/// An operator class whose comparisons take two milliseconds: a plain index that is slow to build whatever the machine.
const SLOW_PLAIN: &str = "CREATE FUNCTION slow_compare(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
     'BEGIN PERFORM pg_catalog.pg_sleep(0.002); RETURN btint4cmp(a, b); END'; \
     CREATE OPERATOR CLASS slow_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, \
     OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 slow_compare(int, int); \
     CREATE TABLE small AS SELECT g AS a, g AS b FROM generate_series(1, 300) g; \
     CREATE TABLE large AS SELECT g AS a, g AS b, repeat('x', 500) FROM generate_series(1, 300) g";

const FOUR: &str = "CREATE INDEX l1 ON large (a slow_ops); CREATE INDEX s1 ON small (a slow_ops); \
     CREATE INDEX l2 ON large (b slow_ops); CREATE INDEX s2 ON small (b slow_ops);";

/// The tables with a build under way, after each event that begins or ends one.
fn at_once(events: &[Event]) -> Vec<Vec<String>> {
    let mut building = Vec::new();
    let mut all = Vec::new();
    for event in events {
        match event {
            Event::Building { table, .. } => building.push(table.clone()),
            Event::Built { table, .. } => building.retain(|each| each != table),
            _ => continue,
        }
        all.push(building.clone());
    }
    all
}

#[tokio::test]
async fn two_workers_build_on_two_tables_at_once_and_never_twice_on_one() -> Result<()> {
    let mut took = Vec::new();
    for (name, parallel) in [("parallel_one", 1), ("parallel_two", 2)] {
        let mut database = Database::new(name, SLOW_PLAIN).await?;
        database.settings.parallel = parallel;
        let started = Instant::now();
        let outcome = database.run(FOUR).await?;
        took.push(started.elapsed());
        assert!(outcome.items.iter().all(|item| item.outcome == Settled::Built), "{outcome:#?}");
        let names: Vec<_> = outcome.items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!((names, database.invalid().await?), (vec!["l1", "s1", "l2", "s2"], "0".into()));
        let at_once = at_once(&database.events());
        assert!(at_once.iter().all(|tables| tables.iter().collect::<HashSet<_>>().len() == tables.len()));
        assert_eq!(at_once.iter().map(Vec::len).max(), Some(parallel), "{at_once:?}");
        assert!(parallel == 2 || at_once[0] == ["small"], "small tables first: {at_once:?}");
    }
    let most = took[0].mul_f64(0.75);
    assert!(took[1] <= most, "one worker: {:?}, two: {:?}", took[0], took[1]);
    Ok(())
}

#[tokio::test]
async fn partial_and_expression_indexes_come_after_the_plain_ones_and_one_at_a_time() -> Result<()> {
    let setup = format!("{SLOW}; CREATE TABLE u AS SELECT * FROM t WHERE a < 40");
    let database = Database::new("parallel_others", &setup).await?;
    let text = "CREATE INDEX t_slow ON t (slow(a)) WHERE a < 40; CREATE INDEX u_slow ON u (slow(a)); \
                CREATE INDEX t_a ON t (a); CREATE INDEX u_part ON u (a) WHERE b > 0; CREATE INDEX u_a ON u (a)";
    let outcome = database.run(text).await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Built), "{outcome:#?}");
    let begun = |event: &Event| match event {
        Event::Building { index, .. } => Some(index.clone()),
        _ => None,
    };
    let order: Vec<_> = database.events().iter().filter_map(begun).collect();
    let plain: HashSet<_> = order[..2].iter().map(String::as_str).collect();
    assert_eq!(plain, HashSet::from(["t_a", "u_a"]));
    assert_eq!(order[2..], ["u_slow", "u_part", "t_slow"], "small tables first");
    let at_once = at_once(&database.events());
    let others = &at_once[at_once.len() - 6..];
    assert!(others.iter().all(|tables| tables.len() <= 1), "{at_once:?}");
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_held_does_not_hold_up_the_others() -> Result<()> {
    let database = Database::new("parallel_held", "CREATE TABLE a (x int); CREATE TABLE b (x int)").await?;
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO a VALUES (1)").await?;
    let built = |event: &Event| matches!(event, Event::Built { index, .. } if index == "b_x2");
    let text = "CREATE INDEX a_x ON a (x); CREATE INDEX b_x ON b (x); CREATE INDEX b_x2 ON b (x DESC)";
    let (outcome, seen) = tokio::join!(database.run(text), async {
        database.until_event(built).await?;
        writer.run("COMMIT").await?;
        anyhow::Ok(())
    });
    seen?;
    let outcome = outcome?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Built), "{outcome:#?}");
    assert!(outcome.items[1].duration < outcome.items[0].duration + Duration::from_secs(1));
    Ok(())
}
