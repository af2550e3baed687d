//! The shapes of a backfill that are measured: ours, and those of others as their tools or their users write them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use backfill::{Settings, Throttle, Verdict, Walk};
use postgres::{LockKey, Row, RunLock, Session, Target, ledger, query};

const VALUE: &str =
    "(SELECT c.direction FROM call_log c WHERE c.lead_id = l.id ORDER BY c.created_at DESC LIMIT 1)";
const LEFT: &str = "l.last_call_direction IS NULL";

/// One shape.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) how: How,
}

pub(crate) enum How {
    /// The correlated statement as it is.
    Single,
    /// The same by a join.
    Joined,
    /// GitLab's batched background migrations: jobs of 10,000 keys in sub-batches of 1,000, an UPDATE each.
    Gitlab,
    /// pgroll's: 1,000 rows behind the last key, locked first.
    Pgroll,
    /// 1,000 rows behind the last key, those that are locked skipped.
    Keyset,
    /// 200 rows that match, and a sleep of 50 ms; for so long, then by what that was.
    Script(Duration),
    /// pgdeploy's.
    Ours(Box<Settings>),
}

/// All of them, in the order of the table.
pub(crate) fn shapes() -> Vec<Shape> {
    let base = Settings { budget: Duration::from_secs(3600), ..Settings::default() };
    let bold = Throttle { congestion: false, ..Throttle::default() };
    let full = Settings { throttle: bold, ..base.clone() };
    let ours = |name, settings| Shape { name, how: How::Ours(Box::new(settings)) };
    vec![
        Shape { name: "single", how: How::Single },
        Shape { name: "update-from", how: How::Joined },
        Shape { name: "gitlab", how: How::Gitlab },
        Shape { name: "pgroll", how: How::Pgroll },
        Shape { name: "keyset-1000", how: How::Keyset },
        Shape { name: "script-200-50ms", how: How::Script(Duration::from_secs(15)) },
        ours("ours", base.clone()),
        ours("ours-full-speed", full.clone()),
        ours("ours-100ms", Settings { target: Duration::from_millis(100), ..full.clone() }),
        ours("ours-along-key", Settings { walk: Walk::Keyset, ..full.clone() }),
        ours("ours-2-workers", Settings { workers: 2, ..full }),
    ]
}

/// Ours in other ways, each only where it is asked for: what helps the application.
pub(crate) fn variants() -> Vec<Shape> {
    let full = Settings {
        budget: Duration::from_secs(3600),
        throttle: Throttle { congestion: false, ..Throttle::default() },
        ..Settings::default()
    };
    let ours = |name, settings| Shape { name, how: How::Ours(Box::new(settings)) };
    vec![
        ours("ours-5ms", Settings { target: Duration::from_millis(5), ..full.clone() }),
        ours("ours-10ms", Settings { target: Duration::from_millis(10), ..full.clone() }),
        ours("ours-half-duty", Settings { duty: 0.5, ..full.clone() }),
        ours("ours-5ms-half-duty", Settings { target: Duration::from_millis(5), duty: 0.5, ..full.clone() }),
        ours("ours-quarter-duty", Settings { duty: 0.25, ..full.clone() }),
        ours("ours-5ms-quarter-duty", Settings { target: Duration::from_millis(5), duty: 0.25, ..full }),
    ]
}

impl How {
    /// Runs it to its end; for how many seconds' worth of work it stands in for, where it was cut short.
    pub(crate) async fn run(&self, target: &Target, rows: u64) -> Result<Option<f64>> {
        let started = Instant::now();
        if let How::Ours(settings) = self {
            ours(target, settings).await?;
            return Ok(None);
        }
        let mut session = target.connect("bench").await?;
        session.run("CREATE TABLE progress (at text, done bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50); INSERT INTO progress VALUES (NULL)").await?;
        match self {
            How::Single => session
                .run(&format!("UPDATE leads l SET last_call_direction = {VALUE} WHERE {LEFT}"))
                .await
                .map(drop)?,
            How::Joined => {
                session.run("SET work_mem = '256MB'").await?;
                session
                    .run("UPDATE leads l SET last_call_direction = x.direction FROM (SELECT DISTINCT ON (lead_id) lead_id, direction FROM call_log \
                          ORDER BY lead_id, created_at DESC) x WHERE x.lead_id = l.id AND l.last_call_direction IS NULL")
                    .await?;
            }
            How::Gitlab => gitlab(&mut session).await?,
            How::Pgroll => along_key(&mut session, "FOR NO KEY UPDATE").await?,
            How::Keyset => along_key(&mut session, "FOR NO KEY UPDATE SKIP LOCKED").await?,
            How::Script(most) => {
                let text = format!(
                    "WITH batch AS (SELECT id FROM leads WHERE last_call_direction IS NULL LIMIT 200 FOR UPDATE SKIP LOCKED) \
                     UPDATE leads l SET last_call_direction = {VALUE} FROM batch b WHERE l.id = b.id"
                );
                let mut done = 0;
                loop {
                    let now = session.run(&text).await?;
                    done += now;
                    if now == 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    if started.elapsed() > *most {
                        session.close().await;
                        return Ok(Some(started.elapsed().as_secs_f64() * rows as f64 / done as f64));
                    }
                }
            }
            How::Ours(_) => {}
        }
        session.close().await;
        Ok(None)
    }
}

/// A batch of a thousand rows behind the last key, and the key kept in the same statement.
async fn along_key(session: &mut Session, lock: &str) -> Result<()> {
    let key = key_type(session).await?;
    let text = format!(
        "WITH batch AS MATERIALIZED (SELECT id FROM leads WHERE ($1::text IS NULL OR id > $1::text::{key}) AND last_call_direction IS NULL ORDER BY id LIMIT 1000 {lock}), \
         upd AS (UPDATE leads l SET last_call_direction = {VALUE} FROM batch b WHERE l.id = b.id RETURNING 1), \
         agg AS (SELECT (SELECT count(*) FROM upd) AS n, (SELECT b.id::text FROM batch b ORDER BY b.id DESC LIMIT 1) AS m), \
         ck AS (UPDATE progress SET at = coalesce(agg.m, at), done = done + agg.n FROM agg) SELECT n, m FROM agg"
    );
    let mut last: Option<String> = None;
    loop {
        let row = query(&text).bind(last.clone()).fetch_one(session.connection()).await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(());
        }
        last = row.try_get(1)?;
    }
}

// In an ORDER BY a bare `id` is the column of the result, and that is a text here: all keys are qualified.
async fn gitlab(session: &mut Session) -> Result<()> {
    let key = key_type(session).await?;
    let behind = |offset: u32| {
        format!(
            "SELECT l.id::text FROM leads l WHERE l.id >= $1::text::{key} ORDER BY l.id LIMIT 1 OFFSET {offset}"
        )
    };
    let find = async |session: &mut Session, text: String, from: &str| -> Result<Option<String>> {
        let row = query(&text).bind(from.to_owned()).fetch_optional(session.connection()).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    };
    let row = session.one("SELECT (SELECT id FROM leads ORDER BY id LIMIT 1)::text").await?;
    let mut start: Option<String> = row.try_get(0)?;
    while let Some(from) = start {
        let stop = find(session, behind(10_000), &from).await?;
        let mut at = Some(from);
        while let Some(low) = at {
            let next = find(session, behind(1_000), &low).await?;
            let high = match (&next, &stop) {
                (Some(next), _) => format!("AND l.id < '{next}'::{key}"),
                (None, _) => String::new(),
            };
            session
                .run(&format!("UPDATE leads l SET last_call_direction = {VALUE} WHERE l.id >= '{low}'::{key} {high} AND {LEFT}"))
                .await?;
            at = next.filter(|next| stop.as_ref() != Some(next));
        }
        session.run("UPDATE progress SET done = done + 10000").await?;
        start = stop;
    }
    Ok(())
}

async fn key_type(session: &mut Session) -> Result<String> {
    let row = session.one("SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 'leads'::regclass AND attname = 'id'").await?;
    Ok(row.try_get(0)?)
}

async fn ours(target: &Target, settings: &Settings) -> Result<()> {
    let statement = format!("UPDATE leads l SET last_call_direction = {VALUE} WHERE {LEFT}");
    let source = sql::Source::from_bytes(Path::new("backfills/0001_direction.sql"), statement.into_bytes())
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let definitions = backfill::load(&[source]).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let lock =
        RunLock::acquire(target, LockKey::of("pgdeploy", "bench"), Duration::from_secs(5), |_| {}).await?;
    let mut session = lock.session("work").await?;
    ledger::bootstrap(&lock, &mut session, "pgdeploy", "bench", &[backfill::LEDGER], &[]).await?;
    lock.release().await;
    let plan = backfill::plan(&mut session, &definitions, "pgdeploy").await?;
    session.close().await;
    let stage = backfill::Stage {
        target,
        ledger: "pgdeploy",
        deployment: None,
        host: "bench",
        events: &|_| {},
        stop: Default::default(),
    };
    let outcome = backfill::run(&stage, &plan, settings).await;
    if outcome.items[0].outcome != Verdict::Complete {
        bail!("{outcome:?}");
    }
    Ok(())
}
