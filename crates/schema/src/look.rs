//! Looking before queueing: whoever waits in a lock's queue holds up everybody behind it, and whoever only looks does not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postgres::holders::{self, Blocker};
use postgres::{Class, Session};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::run::Settings;
use crate::shape::Shape;

/// A transaction younger than this is one of the application's: it will be over before a lock is even asked for.
const OLD: Duration = Duration::from_secs(1);
/// Between two looks: reading `pg_locks` is cheap, but not free.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long it is only looked. Then an attempt queues all the same: where one long reader follows on another, only a
/// queue ends the chain.
const LONGEST: Duration = Duration::from_secs(5);

/// Tables that were made only now: nobody can have been on them for as long as [`OLD`], and so they are not looked at.
#[derive(Default)]
pub(crate) struct Young(HashMap<String, Instant>);

impl Young {
    /// A text has been run that makes tables.
    pub(crate) fn add(&mut self, shape: &Shape) {
        self.0.extend(shape.makes.iter().map(|table| (table.clone(), Instant::now())));
    }

    /// Those that a text wants for itself and that somebody may be on.
    pub(crate) fn without(&self, shape: &Shape) -> Vec<String> {
        let is_young = |table: &&String| self.0.get(*table).is_some_and(|made| made.elapsed() < OLD);
        shape.tables.iter().filter(|table| !is_young(table)).cloned().collect()
    }
}

/// The tables that are looked at, by name as SQL.
pub(crate) struct Look<'a> {
    pub(crate) tables: &'a [String],
    /// The role that the text is run as, which may see schemas that we may not.
    pub(crate) role: Option<String>,
    /// A statement that sets the schemas in which the names are looked up; else it is the session's path.
    pub(crate) path: Option<String>,
}

impl<'a> Look<'a> {
    /// Of a text that is run with these settings.
    pub(crate) fn new(tables: &'a [String], settings: &Settings) -> Self {
        Self { tables, role: settings.set_role("SET LOCAL"), path: settings.set_path("SET LOCAL") }
    }

    /// Statements whose one row is true where anybody is on the tables at all, which is cheap to ask. They are for the
    /// beginning of a transaction, and leave who we are as it was.
    pub(crate) fn glance(&self) -> String {
        if self.tables.is_empty() {
            return "SELECT false".to_owned();
        }
        let role = self.role.as_ref().map(|role| (role.as_str(), "RESET ROLE"));
        // The text's own path is set behind this.
        let path = self.path.as_ref().map(|path| (path.as_str(), "SET LOCAL search_path = pg_catalog"));
        let (before, after): (Vec<&str>, Vec<&str>) = role.into_iter().chain(path).unzip();
        let asked = format!("SELECT {}", holders::are_on(self.tables));
        [before, vec![&asked], after].concat().join("; ")
    }

    /// Old transactions that hold locks on the tables. Those of autovacuum do not count: they give way. As who we are,
    /// since the text's role may not see how old they are; tables that we may not see have none.
    pub(crate) async fn obstacles(&self, session: &mut Session) -> Result<Vec<Blocker>, postgres::Error> {
        let path = self.path.as_ref().map(|path| format!("; {path}")).unwrap_or_default();
        session.run(&format!("BEGIN READ ONLY{path}")).await?;
        let holders = holders::on(session, self.tables).await;
        session.run("ROLLBACK").await?;
        let holders = match holders {
            Err(error) if error.class() == Class::Permission => Vec::new(),
            holders => holders?,
        };
        let old = |blocker: &Blocker| blocker.age_seconds >= OLD.as_secs_f64() && !blocker.autovacuum;
        Ok(holders.into_iter().filter(old).collect())
    }

    /// Waits without queueing until the transactions of `blockers` are over: at least until `pause` is over, unless they
    /// end before; at most [`LONGEST`] or until `deadline`.
    pub(crate) async fn wait(
        session: &mut Session,
        blockers: &[Blocker],
        pause: Duration,
        deadline: Instant,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let watched = blockers.iter().any(|blocker| !blocker.transaction.is_empty());
        loop {
            let gone = watched && holders::are_gone(session, blockers).await?;
            let waited = started.elapsed();
            let enough = waited >= pause && (!watched || waited >= LONGEST || Instant::now() >= deadline);
            if gone || enough {
                return Ok(());
            }
            let next = if watched { INTERVAL } else { pause - waited };
            tokio::select! {
                () = stop.cancelled() => return Err(Failure::Interrupted),
                () = tokio::time::sleep(next) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_looked_at_once_it_is_old_enough_for_somebody_to_be_in_the_way() {
        let shape = |tables: &[&str], makes: &[&str]| Shape {
            statements: 1,
            tables: tables.iter().map(|&name| name.to_owned()).collect(),
            makes: makes.iter().map(|&name| name.to_owned()).collect(),
        };
        let mut young = Young::default();
        young.add(&shape(&[], &["a"]));
        assert_eq!(young.without(&shape(&["a", "b"], &[])), ["b"]);
        young.0.insert("a".to_owned(), Instant::now() - OLD);
        assert_eq!(young.without(&shape(&["a", "b"], &[])), ["a", "b"]);
    }
}
