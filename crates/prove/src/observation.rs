//! What the catalog and the counters say between two statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postgres::{Error, Row, Session, query};

use crate::lock_mode::LockMode;
use crate::report::{LockReport, RowChange, Scan};

/// Relations that existed when the file began, by their oid.
#[derive(Debug, Default)]
pub(crate) struct Before {
    relations: HashMap<i64, Relation>,
}

#[derive(Debug)]
struct Relation {
    schema: String,
    name: String,
    kind: String,
    rows: Option<f64>,
    bytes: u64,
}

/// Every mode in which a backend holds a relation.
pub(crate) type Locks = BTreeMap<i64, BTreeSet<LockMode>>;

/// One look.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    locks: Locks,
    files: HashMap<i64, i64>,
    counters: HashMap<i64, [i64; 5]>,
    wal: i64,
}

/// Schemas of the server's own, and of sessions.
const OURS: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";

impl Before {
    /// What exists now. Sizes are exact: the throwaway server is small.
    pub(crate) async fn read(session: &mut Session) -> Result<Self, Error> {
        let text = format!(
            "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.reltuples::float8, \
               CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}"
        );
        let mut relations = HashMap::new();
        for row in session.all(&text).await? {
            let bytes: i64 = row.try_get(5)?;
            let rows: f64 = row.try_get(4)?;
            let relation = Relation {
                schema: row.try_get(1)?,
                name: row.try_get(2)?,
                kind: row.try_get(3)?,
                rows: (rows >= 0.0).then_some(rows),
                bytes: bytes.unsigned_abs(),
            };
            relations.insert(row.try_get(0)?, relation);
        }
        Ok(Self { relations })
    }

    /// The name as people write it: without `public`.
    pub(crate) fn name(&self, oid: i64) -> Option<String> {
        let relation = self.relations.get(&oid)?;
        Some(match relation.schema.as_str() {
            "public" => relation.name.clone(),
            schema => format!("{schema}.{}", relation.name),
        })
    }

    /// Schema, name, rows and bytes here of the table with this shown name.
    pub(crate) fn measured(&self, shown: &str) -> Option<(&str, &str, Option<f64>, u64)> {
        let is_it = |(oid, relation): &(&i64, &Relation)| {
            matches!(relation.kind.as_str(), "r" | "m") && self.name(**oid).as_deref() == Some(shown)
        };
        let (_, found) = self.relations.iter().find(is_it)?;
        Some((&found.schema, &found.name, found.rows, found.bytes))
    }

    fn is_table(&self, oid: i64) -> bool {
        self.relations.get(&oid).is_some_and(|relation| matches!(relation.kind.as_str(), "r" | "p"))
    }

    fn is_sequence(&self, oid: i64) -> bool {
        self.relations.get(&oid).is_some_and(|relation| relation.kind == "S")
    }
}

impl Observation {
    /// Looks, from inside of the transaction of `session`, or from outside at what the backend `pid` holds.
    pub(crate) async fn look(session: &mut Session, pid: i32) -> Result<Self, Error> {
        let mut seen = Self { locks: locks(session, pid).await?, ..Self::default() };
        let files = format!(
            "SELECT c.oid::int8, c.relfilenode::int8 FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'i') AND {OURS}"
        );
        for row in session.all(&files).await? {
            seen.files.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let counters = "SELECT relid::int8, coalesce(seq_scan, 0), coalesce(seq_tup_read, 0), n_tup_ins, n_tup_upd, n_tup_del \
             FROM pg_catalog.pg_stat_xact_user_tables WHERE seq_scan > 0 OR n_tup_ins > 0 OR n_tup_upd > 0 OR n_tup_del > 0";
        for row in session.all(counters).await? {
            let values =
                [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?];
            seen.counters.insert(row.try_get(0)?, values);
        }
        seen.wal = session
            .one("SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8")
            .await?
            .try_get(0)?;
        Ok(seen)
    }

    /// Locks that are new or stronger since an earlier look.
    pub(crate) fn new_locks(&self, earlier: &Self, before: &Before) -> Vec<LockReport> {
        let strongest = |locks: &Locks, oid: &i64| locks.get(oid).and_then(|modes| modes.last().copied());
        let report = |oid: &i64| {
            let mode =
                strongest(&self.locks, oid).filter(|mode| strongest(&earlier.locks, oid) < Some(*mode))?;
            Some(LockReport { relation: before.name(*oid)?, mode, blocks: mode.blocks() })
        };
        let mut reports: Vec<LockReport> = self.locks.keys().filter_map(report).collect();
        reports.sort_by(|a, b| (b.mode, &a.relation).cmp(&(a.mode, &b.relation)));
        reports
    }

    /// Takes in locks that other looks have seen.
    pub(crate) fn add_locks(&mut self, seen: Locks) {
        for (oid, modes) in seen {
            self.locks.entry(oid).or_default().extend(modes);
        }
    }

    /// Relations with other files than at an earlier look. `ALTER SEQUENCE RESTART` gives a sequence new ones: no rewrite.
    pub(crate) fn rewritten(&self, earlier: &Self, before: &Before) -> Vec<String> {
        let other = self.files.iter().filter(|(oid, file)| {
            !before.is_sequence(**oid) && earlier.files.get(oid).is_some_and(|known| known != *file)
        });
        let mut names: Vec<String> = other.filter_map(|(oid, _)| before.name(*oid)).collect();
        names.sort();
        names
    }

    /// Reads from end to end since an earlier look.
    pub(crate) fn scans(&self, earlier: &Self, before: &Before) -> Vec<Scan> {
        let mut scans = Vec::new();
        for (oid, [times, rows, ..]) in self.since(earlier) {
            if let (true, Some(relation)) = (times > 0, before.name(oid)) {
                scans.push(Scan { relation, times, rows });
            }
        }
        scans.sort_by(|a, b| a.relation.cmp(&b.relation));
        scans
    }

    /// Rows that changed since an earlier look, in tables that existed before. ROW EXCLUSIVE on a table is the lock of a
    /// statement that changes rows, also where none matched it here.
    pub(crate) fn rows(&self, earlier: &Self, before: &Before) -> Vec<RowChange> {
        let mut rows = Vec::new();
        for (oid, [_, _, inserted, updated, deleted]) in self.since(earlier) {
            if let (true, Some(relation)) = (inserted + updated + deleted > 0, before.name(oid)) {
                rows.push(RowChange { relation, inserted, updated, deleted });
            }
        }
        for (oid, modes) in &self.locks {
            let already = earlier.locks.get(oid).is_some_and(|modes| modes.contains(&LockMode::RowExclusive));
            if already || !modes.contains(&LockMode::RowExclusive) || !before.is_table(*oid) {
                continue;
            }
            if let Some(relation) = before.name(*oid)
                && rows.iter().all(|change: &RowChange| change.relation != relation)
            {
                rows.push(RowChange { relation, inserted: 0, updated: 0, deleted: 0 });
            }
        }
        rows.sort_by(|a, b| a.relation.cmp(&b.relation));
        rows
    }

    /// What was written ahead since an earlier look.
    pub(crate) fn wal(&self, earlier: &Self) -> u64 {
        u64::try_from(self.wal - earlier.wal).unwrap_or(0)
    }

    fn since(&self, earlier: &Self) -> Vec<(i64, [i64; 5])> {
        let delta = |(oid, now): (&i64, &[i64; 5])| {
            let then = earlier.counters.get(oid).copied().unwrap_or_default();
            (*oid, std::array::from_fn(|at| now[at] - then[at]))
        };
        self.counters.iter().map(delta).collect()
    }
}

/// The locks that a backend holds on relations.
pub(crate) async fn locks(session: &mut Session, pid: i32) -> Result<Locks, Error> {
    let rows = query("SELECT relation::int8, mode FROM pg_catalog.pg_locks WHERE pid = $1 AND locktype = 'relation' AND granted")
        .bind(pid)
        .fetch_all(session.connection())
        .await?;
    let mut locks = Locks::new();
    for row in rows {
        let (oid, mode): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(mode) = LockMode::parse(&mode) {
            locks.entry(oid).or_default().insert(mode);
        }
    }
    Ok(locks)
}
