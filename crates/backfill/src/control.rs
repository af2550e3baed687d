//! What people ask of a backfill that is at work: to wait, to go on, to end, to be slower. Each batch begins only if it
//! knows the latest revision of that, wherever it runs.

use std::time::Duration;

use postgres::{Error, PgRow, Row, Session, query};

use crate::header::{MAX_PAUSE, MAX_TARGET};
use crate::settings::Settings;

/// The live knobs of a backfill.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Control {
    pub(crate) revision: i32,
    pub(crate) wanted: Wanted,
    target: Option<Duration>,
    pause: Option<Duration>,
    duty: Option<f64>,
    workers: Option<u32>,
}

/// What is wanted of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Run,
    Pause,
    Cancel,
}

const COLUMNS: &str = "b.revision, b.wanted, b.target_ms, b.pause_ms, b.duty, b.workers";

impl Control {
    fn of(row: &PgRow) -> Result<Self, Error> {
        let millis = |at: usize| {
            let number: Option<f64> = row.try_get(at)?;
            Ok::<_, Error>(number.and_then(|number| Duration::try_from_secs_f64(number / 1000.0).ok()))
        };
        Ok(Self {
            revision: row.try_get(0)?,
            wanted: match row.try_get::<String, _>(1)?.as_str() {
                "pause" => Wanted::Pause,
                "cancel" => Wanted::Cancel,
                _ => Wanted::Run,
            },
            target: millis(2)?,
            pause: millis(3)?,
            duty: row.try_get(4)?,
            workers: row.try_get::<Option<i32>, _>(5)?.map(i32::unsigned_abs),
        })
    }

    /// The settings with what is asked now.
    pub(crate) fn over(&self, settings: &Settings) -> Settings {
        let mut own = settings.clone();
        own.target = self.target.unwrap_or(own.target);
        own.pause = self.pause.unwrap_or(own.pause);
        own.duty = self.duty.unwrap_or(own.duty);
        own.workers = self.workers.unwrap_or(own.workers);
        own
    }
}

/// What is asked now.
pub(crate) async fn read(session: &mut Session, ledger: &str, backfill: i64) -> Result<Control, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!("SELECT {COLUMNS} FROM {ledger}.backfills b WHERE b.id = $1"))
        .bind(backfill)
        .fetch_one(session.connection())
        .await?;
    Control::of(&row)
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Begin no further batch, until `Resume`.
    Pause,
    /// Go on.
    Resume,
    /// End it: what is done stays done, the rest is left.
    Cancel,
    /// Another speed; what is `None` stays as it is.
    Speed {
        /// How long one batch may take.
        target: Option<Duration>,
        /// Between batches.
        pause: Option<Duration>,
        /// The share of the time in which a worker works.
        duty: Option<f64>,
        /// Workers of each process.
        workers: Option<u32>,
    },
}

impl Ask {
    fn action(&self) -> &'static str {
        match self {
            Ask::Pause => "pause",
            Ask::Resume => "resume",
            Ask::Cancel => "cancel",
            Ask::Speed { .. } => "speed",
        }
    }

    fn detail(&self) -> String {
        let Ask::Speed { target, pause, duty, workers } = self else { return String::new() };
        let parts = [
            target.map(|target| format!("target {target:?}")),
            pause.map(|pause| format!("pause {pause:?}")),
            duty.map(|duty| format!("duty {:.0}%", duty * 100.0)),
            workers.map(|workers| format!("workers {workers}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The next batch follows it. The new revision.
    Accepted(i32),
    /// Nobody has run it, or it is over: there is nothing to steer. Its state.
    Nothing(Option<String>),
    /// Somebody else has asked for something since that revision was read: by whom and what.
    Stale {
        /// The revision now.
        revision: i32,
        /// Who asked last, for what.
        last: String,
    },
}

/// Asks something of a backfill. With `revision`, only if nobody has asked for anything since.
pub async fn ask(
    session: &mut Session,
    ledger: &str,
    (id, actor): (&str, &str),
    what: &Ask,
    revision: Option<i32>,
) -> Result<Asked, Error> {
    let quoted = sql::identifier(ledger);
    let latest = format!(
        "SELECT b.id, b.revision, b.state FROM {quoted}.backfills b WHERE b.name = $1 ORDER BY b.generation DESC LIMIT 1 FOR UPDATE"
    );
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '5s'").await?;
    let row = query(&latest).bind(id.to_owned()).fetch_optional(session.connection()).await?;
    let Some(row) = row else {
        session.run("ROLLBACK").await?;
        return Ok(Asked::Nothing(None));
    };
    let (backfill, now, state): (i64, i32, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let over = state == "done" || (state == "cancelled" && *what != Ask::Resume);
    if over || revision.is_some_and(|known| known != now) {
        let last = last(session, &quoted, backfill).await?;
        session.run("ROLLBACK").await?;
        return Ok(if over { Asked::Nothing(Some(state)) } else { Asked::Stale { revision: now, last } });
    }
    let (target, pause, duty, workers) = match what {
        // Within what a file may say.
        Ask::Speed { target, pause, duty, workers } => (
            target.map(|target| target.clamp(Duration::from_millis(1), MAX_TARGET)),
            pause.map(|pause| pause.min(MAX_PAUSE)),
            *duty,
            *workers,
        ),
        _ => (None, None, None, None),
    };
    let millis = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64() * 1000.0);
    query(&format!(
        "WITH j AS (INSERT INTO {quoted}.backfill_journal (backfill_id, revision, actor, action, detail) VALUES ($1, $2, $3, $4, $5)) \
         UPDATE {quoted}.backfills SET revision = $2, updated_at = clock_timestamp(), \
           wanted = CASE $4 WHEN 'pause' THEN 'pause' WHEN 'resume' THEN 'run' WHEN 'cancel' THEN 'cancel' ELSE wanted END, \
           state = CASE $4 WHEN 'cancel' THEN 'cancelled' WHEN 'resume' THEN CASE state WHEN 'cancelled' THEN 'running' ELSE state END ELSE state END, \
           target_ms = coalesce($6, target_ms), pause_ms = coalesce($7, pause_ms), duty = coalesce($8, duty), \
           workers = coalesce($9, workers) WHERE id = $1"
    ))
    .bind(backfill)
    .bind(now + 1)
    .bind(actor.to_owned())
    .bind(what.action())
    .bind(what.detail())
    .bind(millis(target))
    .bind(millis(pause))
    .bind(duty)
    .bind(workers.map(|workers| i32::try_from(workers).unwrap_or(i32::MAX)))
    .execute(session.connection())
    .await?;
    session.run("COMMIT").await?;
    Ok(Asked::Accepted(now + 1))
}

async fn last(session: &mut Session, quoted: &str, backfill: i64) -> Result<String, Error> {
    let row = query(&format!(
        "SELECT trim(pg_catalog.format('%s: %s %s', actor, action, detail)) FROM {quoted}.backfill_journal \
         WHERE backfill_id = $1 ORDER BY id DESC LIMIT 1"
    ))
    .bind(backfill)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => String::new(),
    })
}
