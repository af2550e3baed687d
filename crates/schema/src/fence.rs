//! Who may write: the conditions that stand inside a migration's own transaction.
//!
//! The run lock says that we are the only deployer. Two things it cannot see: the statement of a killed runner that is
//! still at work (it holds the execute lock), and that the run lock itself is gone, because this process was frozen and
//! its session ended. Both are asked in the same statement that writes the record, at the beginning and at the end.

use postgres::{Error, LockKey, Row, RunLock, Session};

use crate::failure::Failure;

/// The fence of one run lock.
pub(crate) struct Fence {
    key: i32,
    ours: String,
}

/// What must not happen to the execute lock before the transaction ends.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    /// By the transaction.
    Transaction,
    /// By the session, because what it runs cannot be in a transaction.
    Session,
}

impl Fence {
    pub(crate) fn of(lock: &RunLock) -> Self {
        Self { key: lock.key().0, ours: lock.is_ours() }
    }

    /// A WITH query `fence` of one row `open`: the execute lock was free and is ours now, and so is the run lock.
    pub(crate) fn enter(&self, held: Held) -> String {
        let function = match held {
            Held::Transaction => "pg_try_advisory_xact_lock",
            Held::Session => "pg_try_advisory_lock",
        };
        format!(
            "WITH fence AS MATERIALIZED (SELECT {} AND pg_catalog.{function}({}, {}) AS open)",
            self.ours,
            self.key,
            LockKey::EXECUTE
        )
    }

    /// A query of one row: the id of the transaction whose the execute lock is from now on; NULL where it is not, or the run
    /// lock is not ours.
    pub(crate) fn transaction(&self) -> String {
        format!(
            "SELECT CASE WHEN {} AND pg_catalog.pg_try_advisory_xact_lock({}, {}) THEN pg_catalog.pg_current_xact_id()::text END",
            self.ours,
            self.key,
            LockKey::EXECUTE
        )
    }

    /// A condition: this is still the transaction that began.
    pub(crate) fn same_transaction(xid: &str) -> String {
        format!("pg_catalog.pg_current_xact_id_if_assigned()::text = {}", sql::literal(xid))
    }

    /// Why the fence was shut.
    pub(crate) async fn why(&self, session: &mut Session) -> Result<Failure, Error> {
        let text = format!(
            "SELECT {}, (SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 \
               AND {THIS_DATABASE} AND classid = {} AND objid = {} AND pid <> pg_catalog.pg_backend_pid() LIMIT 1)",
            self.ours,
            self.key.cast_unsigned(),
            LockKey::EXECUTE
        );
        let row = session.one(&text).await?;
        if !row.try_get::<bool, _>(0)? {
            return Ok(Failure::LockLost);
        }
        // An orphan that ended between the two questions is no orphan any more: the next attempt will find out.
        Ok(Failure::Orphan { pid: row.try_get::<Option<i32>, _>(1)?.unwrap_or(0) })
    }
}

/// Advisory locks of other databases have the same numbers.
const THIS_DATABASE: &str =
    "database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
