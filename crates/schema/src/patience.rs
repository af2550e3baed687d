//! Trying until it is in or the patience ends.

use std::time::{Duration, Instant};

use postgres::{Backoff, Error, Notices, Row, ScriptError, Session, Stage};

use crate::attempt::{Attempt, Records};
use crate::event::{BlockedBy, Event, milliseconds};
use crate::failure::Failure;
use crate::look::Look;
use crate::orphan::Orphans;
use crate::refusal::Text;
use crate::run::Settings;
use crate::stopped::Ended;
use crate::watch::Watch;

/// What it took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tries {
    /// Attempts that gave way to others.
    pub(crate) retries: u32,
    /// How long those took.
    pub(crate) waited: Duration,
    /// How long the one took that succeeded.
    pub(crate) duration: Duration,
    /// Who stood in the way of the last one.
    pub(crate) blocked_by: Vec<BlockedBy>,
}

impl Tries {
    /// What a further statement of the same file took.
    pub(crate) fn add(&mut self, more: Tries) {
        self.retries += more.retries;
        self.waited += more.waited;
        if !more.blocked_by.is_empty() {
            self.blocked_by = more.blocked_by;
        }
    }
}

/// One text of one file, tried patiently.
pub(crate) struct Patience<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    /// For events.
    pub(crate) migration: &'a str,
    pub(crate) text: Text<'a>,
    /// What is set in each transaction before the text.
    pub(crate) prologue: Option<&'a str>,
    /// Whether the text is all that the session has run: then what it left there beside its transaction (settings,
    /// prepared statements, advisory locks) goes after it, and before it is run again.
    pub(crate) alone: bool,
    /// Whether its COMMIT waits for the disk.
    pub(crate) durable: bool,
    pub(crate) look: &'a Look<'a>,
    pub(crate) notices: &'a Notices,
}

impl Patience<'_> {
    /// An attempt waits `lock_timeout` for a lock, because everybody else queues behind it; then the whole transaction is
    /// rolled back and tried again later, never from a savepoint, which would keep its other locks. Between attempts it is
    /// only looked, which holds up nobody, and as soon as those who stood in the way are gone the next attempt begins.
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        records: impl Fn(&Tries) -> Records,
    ) -> Result<Tries, Failure> {
        let started = Instant::now();
        let deadline = started + self.settings.retry_for;
        let mut backoff = Backoff::full_jitter(Duration::from_millis(250), Duration::from_secs(15));
        let mut tries = Tries::default();
        let mut lock_timeout = self.settings.lock_timeout;
        let mut orphan = Orphans::default();
        let mut look = Some(self.look);
        loop {
            let watch = Watch::start(self.stage.lock, session.pid(), self.settings);
            let attempt = Attempt {
                lock: self.stage.lock,
                settings: self.settings,
                lock_timeout,
                look,
                durable: self.durable,
                prologue: self.prologue,
                reset: self.alone,
                stop: &self.stage.stop,
                watch: &watch,
                notices: self.notices,
            };
            let began = Instant::now();
            let ended = attempt.run(session, &self.text, &records(&tries)).await;
            let seen = watch.take();
            for ended in &seen.ended {
                let migration = self.migration.to_owned();
                (self.stage.events)(Event::BlockerEnded { migration, blocker: ended.into() });
            }
            let failed = match ended {
                Ok(Ended::Committed(duration)) => return Ok(Tries { duration, ..tries }),
                Ok(Ended::SawOthers) => {
                    look = None;
                    self.look_closer(session, deadline).await?;
                    continue;
                }
                Ok(Ended::GaveWay(failed)) => failed,
                Err(Failure::Orphan { pid }) => {
                    orphan.wait(self.stage, pid).await?;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            // What a file said in an attempt that left nothing behind is said again by the next.
            self.notices.take();
            if self.alone {
                session.reset().await?;
            }
            tries.retries += 1;
            tries.waited += began.elapsed();
            if !seen.blockers.is_empty() {
                tries.blocked_by = seen.blocked_by();
            }
            // At or below deadlock_timeout an autovacuum never gives way; above it the server cancels it for us.
            let displace = seen.only_autovacuum() && lock_timeout == self.settings.lock_timeout;
            lock_timeout = match displace {
                true => lock_timeout.max(deadlock_timeout(session).await?.mul_f64(1.5)),
                false => self.settings.lock_timeout,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.out_of_patience(&failed, tries, started.elapsed()));
            }
            let pause = if displace { Duration::ZERO } else { backoff.next_wait().min(left) };
            (self.stage.events)(Event::Retrying {
                migration: self.migration.to_owned(),
                attempt: tries.retries,
                sqlstate: failed.error.sqlstate().unwrap_or_default().to_owned(),
                waited_ms: milliseconds(began.elapsed()),
                retry_in_ms: milliseconds(pause),
                blocked_by: tries.blocked_by.clone(),
            });
            let blockers = if displace { &[][..] } else { &seen.blockers[..] };
            Look::wait(session, blockers, pause, deadline, &self.stage.stop).await?;
        }
    }

    /// Old transactions on the file's tables are waited for before the first attempt queues behind them.
    async fn look_closer(&self, session: &mut Session, deadline: Instant) -> Result<(), Failure> {
        let obstacles = self.look.obstacles(session).await?;
        if obstacles.is_empty() {
            return Ok(());
        }
        (self.stage.events)(Event::Waiting {
            migration: self.migration.to_owned(),
            blocked_by: obstacles.iter().map(BlockedBy::from).collect(),
        });
        Look::wait(session, &obstacles, Duration::ZERO, deadline, &self.stage.stop).await
    }

    fn out_of_patience(&self, failed: &ScriptError, tries: Tries, waited: Duration) -> Failure {
        let patience = humantime::format_duration(self.settings.retry_for);
        let attempts = match tries.retries {
            1 => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        };
        let each = humantime::format_duration(self.settings.lock_timeout);
        let message =
            format!("did not get its locks within {patience} ({attempts} of {each}): {}", failed.error);
        let problem = self.text.at("E101", failed, message);
        Failure::Blocked { problem, attempts: tries.retries, waited, blocked_by: tries.blocked_by }
    }
}

/// After how long a waiter makes an autovacuum worker give way.
async fn deadlock_timeout(session: &mut Session) -> Result<Duration, Error> {
    let text = "SELECT setting::int8 FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'";
    let milliseconds: i64 = session.one(text).await?.try_get(0)?;
    Ok(Duration::from_millis(milliseconds.unsigned_abs()))
}
