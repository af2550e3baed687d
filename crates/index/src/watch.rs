//! The monitor: how far a build is and whom it waits for, seen from a session of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgres::{Error, Events, PgRow, Row, RunLock, Session, Stage, holders, query};

use crate::event::{Event, Unit, WaitsFor};
use crate::queue::Queued;
use crate::survey::Table;

/// How often a build is looked at: a deadlock leaves a second (`deadlock_timeout`) to act in.
const EVERY: Duration = Duration::from_millis(100);
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_millis(250);
/// How often the waited for are asked for: `pg_blocking_pids` takes the lock manager exclusively.
const BLOCKERS_EVERY: Duration = Duration::from_secs(1);
/// Before the first look.
const UNSEEN: &str = "not seen";
/// No progress yet: the server waits for its lock on the table.
const STARTING: &str = "starting";
/// How long the last look may take.
const LAST_LOOK: Duration = Duration::from_millis(500);
/// The phases in which nothing has been built that would be lost (section 28.4.4).
const NOTHING_BUILT: [&str; 3] = [STARTING, "initializing", "waiting for writers before build"];

/// What has been seen of a build.
#[derive(Debug)]
pub(crate) struct Seen {
    phase: String,
    since: Instant,
    began: Instant,
    /// Milliseconds by phase that is over.
    over: HashMap<String, u64>,
    /// Everyone who was waited for, by pid.
    waited_for: HashMap<i32, WaitsFor>,
}

impl Seen {
    /// Whether the build is known to lose nothing if it was begun again.
    pub(crate) fn nothing_built(&self) -> bool {
        NOTHING_BUILT.contains(&self.phase.as_str())
    }

    /// Milliseconds by phase, up to now.
    pub(crate) fn phases(&self) -> serde_json::Value {
        let mut phases = self.over.clone();
        *phases.entry(self.phase.clone()).or_default() += milliseconds(self.since.elapsed());
        serde_json::json!(phases)
    }

    /// Who was waited for at any time.
    pub(crate) fn waited_for(&self) -> Vec<WaitsFor> {
        let mut all: Vec<WaitsFor> = self.waited_for.values().cloned().collect();
        all.sort_by_key(|session| std::cmp::Reverse(session.age_ms));
        all
    }

    /// Notes the phase; returns whether it is another.
    fn enters(&mut self, phase: &str) -> bool {
        let changes = self.phase != phase;
        if changes {
            *self.over.entry(std::mem::replace(&mut self.phase, phase.to_owned())).or_default() +=
                milliseconds(self.since.elapsed());
            self.since = Instant::now();
        }
        changes
    }
}

/// Watches one build.
pub(crate) struct Watch<'a> {
    lock: &'a RunLock,
    events: Events<'a, Event>,
    session: Option<Session>,
    index: String,
    table: String,
    oid: i64,
    asked: Option<Instant>,
    told: Option<Instant>,
    /// The pids that were seen to wait behind the build, and whether the build was seen to wait for them.
    queue: HashMap<i32, bool>,
    seen: Arc<Mutex<Seen>>,
}

impl<'a> Watch<'a> {
    /// Opens the monitor's session. Without one nothing is seen, and the build goes on all the same.
    pub(crate) async fn open(stage: &Stage<'a, Event>, index: &str, table: &Table) -> Self {
        let now = Instant::now();
        let seen = Seen {
            phase: UNSEEN.into(),
            since: now,
            began: now,
            over: HashMap::new(),
            waited_for: HashMap::new(),
        };
        Self {
            lock: stage.lock,
            events: stage.events,
            session: stage.lock.session("index-monitor").await.ok(),
            index: index.to_owned(),
            table: table.name.clone(),
            oid: table.oid,
            asked: None,
            told: None,
            queue: HashMap::new(),
            seen: Arc::new(Mutex::new(seen)),
        }
    }

    /// What has been seen, readable while the watch goes on.
    pub(crate) fn seen(&self) -> Arc<Mutex<Seen>> {
        self.seen.clone()
    }

    /// Watches a backend; returns only when it has waited for writers for `limit` with nothing built.
    pub(crate) async fn until_stuck(&mut self, pid: i32, limit: Duration) {
        loop {
            tokio::time::sleep(EVERY).await;
            if self.look(pid).await.is_err() {
                self.session = None;
                return std::future::pending().await;
            }
            let seen = lock(&self.seen);
            if seen.nothing_built() && seen.phase.starts_with("waiting") && seen.since.elapsed() > limit {
                return;
            }
        }
    }

    /// Looks once more, from a new session: the old one may be in the middle of an answer that nobody waits for.
    pub(crate) async fn look_again(&mut self, pid: i32) {
        let look = async {
            self.session = self.lock.session("index-monitor").await.ok();
            let _ = self.look(pid).await;
        };
        let _ = tokio::time::timeout(LAST_LOOK, look).await;
    }

    /// Looks once and tells what there is to tell.
    pub(crate) async fn look(&mut self, pid: i32) -> Result<(), Error> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(progress) = read(session, pid).await? else { return Ok(()) };
        let waited = {
            let mut seen = lock(&self.seen);
            if seen.enters(&progress.phase) || self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                self.told = Some(Instant::now());
                (self.events)(progress.event(&self.index, &self.table, seen.began.elapsed()));
            }
            seen.since.elapsed()
        };
        for queued in Queued::behind(session, pid, self.oid).await? {
            let known = self.queue.insert(queued.who.pid, queued.mutual);
            if known == Some(true) || known == Some(queued.mutual) {
                continue;
            }
            // Told before it is done: once it is done the build may end before anything else can be said.
            (self.events)(Event::Waiting {
                index: self.index.clone(),
                table: self.table.clone(),
                phase: progress.phase.clone(),
                waited_ms: milliseconds(waited),
                waits_for: if queued.mutual { vec![queued.who.clone()] } else { Vec::new() },
                queued: vec![queued.who.clone()],
                advice: Some(queued.advice()),
            });
            queued.end_if_ours(session).await?;
        }
        let due = self.asked.is_none_or(|asked| asked.elapsed() >= BLOCKERS_EVERY);
        if progress.waits && due {
            self.asked = Some(Instant::now());
            let blockers = holders::of(session, pid).await?;
            if !blockers.is_empty() {
                let waits_for: Vec<WaitsFor> = blockers.iter().map(WaitsFor::from).collect();
                lock(&self.seen).waited_for.extend(waits_for.iter().map(|each| (each.pid, each.clone())));
                (self.events)(Event::Waiting {
                    index: self.index.clone(),
                    table: self.table.clone(),
                    phase: progress.phase,
                    waited_ms: milliseconds(waited),
                    waits_for,
                    queued: Vec::new(),
                    advice: None,
                });
            }
        }
        Ok(())
    }
}

/// One reading of `pg_stat_progress_create_index`.
struct Progress {
    phase: String,
    waits: bool,
    lockers: (i64, i64),
    blocks: (i64, i64),
    tuples: (i64, i64),
}

impl Progress {
    fn event(&self, index: &str, table: &str, elapsed: Duration) -> Event {
        let (unit, (done, total)) = match () {
            () if self.phase.starts_with("waiting") => (Unit::Lockers, self.lockers),
            () if self.blocks.1 > 0 => (Unit::Blocks, self.blocks),
            () => (Unit::Tuples, self.tuples),
        };
        Event::Progress {
            index: index.to_owned(),
            table: table.to_owned(),
            phase: self.phase.clone(),
            unit,
            done,
            total,
            elapsed_ms: milliseconds(elapsed),
        }
    }
}

async fn read(session: &mut Session, pid: i32) -> Result<Option<Progress>, Error> {
    let text = "SELECT coalesce(p.phase, 'starting'), coalesce(a.wait_event_type = 'Lock', false), \
                coalesce(p.lockers_done, 0), coalesce(p.lockers_total, 0), coalesce(p.blocks_done, 0), \
                coalesce(p.blocks_total, 0), coalesce(p.tuples_done, 0), coalesce(p.tuples_total, 0) \
         FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_stat_progress_create_index p ON p.pid = a.pid \
         WHERE a.pid = $1";
    let row = query(text).bind(pid).fetch_optional(session.connection()).await?;
    row.as_ref().map(progress).transpose()
}

fn progress(row: &PgRow) -> Result<Progress, Error> {
    let phase: String = row.try_get(0)?;
    Ok(Progress {
        waits: row.try_get::<bool, _>(1)? || phase.starts_with("waiting"),
        phase,
        lockers: (row.try_get(2)?, row.try_get(3)?),
        blocks: (row.try_get(4)?, row.try_get(5)?),
        tuples: (row.try_get(6)?, row.try_get(7)?),
    })
}

pub(crate) fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
