//! Whether anybody else is at work on the server. Where nobody is, that our own rows have become slower harms nobody.

use std::time::{Duration, Instant};

/// Sessions that begin between two looks and are none of an application's: a check by somebody, our own.
const FEW: i64 = 2;

/// What a look at the server tells of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Others {
    /// Sessions that are at work, or were lately; those that cannot be seen may be.
    pub(crate) at_work: i64,
    /// Sessions that there have ever been: some are too short to be met (PostgreSQL 14).
    pub(crate) begun: Option<i64>,
}

/// The question for [`Others`], as two columns. `pids` are our own sessions, `lately` is in seconds.
pub(crate) fn question(version: u32, pids: &str, lately: &str) -> String {
    let begun = match version {
        140_000.. => "(SELECT sum(sessions)::int8 FROM pg_catalog.pg_stat_database)",
        _ => "NULL::int8",
    };
    format!(
        "(SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL \
           AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_catalog.pg_backend_pid() \
           AND pid <> ALL ({pids}) AND application_name NOT LIKE 'pgdeploy/%' \
           AND (state IS NULL OR state <> 'idle' OR state_change > clock_timestamp() - {lately} * interval '1 second')), {begun}"
    )
}

/// Remembers who was met.
#[derive(Debug, Default)]
pub(crate) struct Company {
    begun: Option<i64>,
    met: Option<Instant>,
}

impl Company {
    /// Whether somebody is at work, or was lately.
    pub(crate) fn is_there(&mut self, now: Instant, others: &Others, lately: Duration) -> bool {
        let before = std::mem::replace(&mut self.begun, others.begun);
        let begun = others.begun.zip(before).map_or(0, |(now, before)| now - before);
        if others.at_work > 0 || begun > FEW {
            self.met = Some(now);
        }
        self.met.is_some_and(|at| now.duration_since(at) < lately)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_there_while_a_session_works_or_many_begin_and_for_a_while_after() {
        let (mut company, start) = (Company::default(), Instant::now());
        let mut at = |seconds, at_work, begun| {
            let others = Others { at_work, begun: Some(begun) };
            company.is_there(start + Duration::from_secs(seconds), &others, Duration::from_secs(10))
        };
        assert!(!at(0, 0, 100));
        assert!(!at(2, 0, 102));
        assert!(at(4, 1, 102));
        assert!(at(12, 0, 102));
        assert!(!at(14, 0, 102));
        assert!(at(16, 0, 112));
        assert!(!at(26, 0, 112));
    }
}
