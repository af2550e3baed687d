//! The journal: every event of a deployment, written behind the deploy's back by a session of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::{Clerk, Error, query};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::record::Record;

/// How often the deployment's row shows that somebody is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long until what could not be written is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the end of a deploy waits for its last lines.
const AT_THE_END: Duration = Duration::from_secs(5);
/// Events that are less than this apart are written together: a commit for each would slow down what it tells of.
const TOGETHER: Duration = Duration::from_millis(50);
/// How many events one statement writes.
const BATCH: usize = 100;

/// The task that writes. A journal that cannot be written does not fail a deploy: it explains, it does not decide.
pub(crate) struct Journal {
    task: JoinHandle<()>,
    missing: Arc<AtomicUsize>,
}

impl Journal {
    /// Starts to write what has happened so far and what will.
    pub(crate) fn start(
        clerk: Clerk,
        ledger: &str,
        deployment: i64,
        records: mpsc::UnboundedReceiver<Record>,
    ) -> Self {
        let missing = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            clerk,
            ledger: sql::identifier(ledger),
            deployment,
            unwritten: Vec::new(),
            written: Instant::now(),
            given_up: 0,
            missing: Arc::clone(&missing),
        };
        Self { task: tokio::spawn(writer.write_all(records)), missing }
    }

    /// Waits until all is written, but not for ever; how many events are missing in the end. The recorder must be gone by
    /// then.
    pub(crate) async fn finish(mut self) -> usize {
        if tokio::time::timeout(AT_THE_END, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let missing = self.missing.load(Ordering::Relaxed);
        if missing > 0 {
            tracing::warn!(missing, "events could not be written to the journal");
        }
        missing
    }
}

/// A lock is waited for but not for ever, and a COMMIT does not wait for the disk: whatever decides something is recorded
/// elsewhere, by COMMITs that do, and with them everything before is on disk too. What a crash of the server may take away
/// is the last lines before it.
async fn settle(clerk: &Clerk) -> Result<(), Error> {
    let mut session = clerk.session().await;
    session.bounded().await?;
    // What is shared also writes what decides.
    match clerk.is_shared() {
        true => Ok(()),
        false => session.run("SET synchronous_commit = off").await.map(drop),
    }
}

struct Writer {
    clerk: Clerk,
    ledger: String,
    deployment: i64,
    /// What has happened and is not in the journal yet, oldest first.
    unwritten: Vec<Record>,
    /// When it was last written.
    written: Instant,
    /// Events that the server will never take.
    given_up: usize,
    missing: Arc<AtomicUsize>,
}

impl Writer {
    async fn write_all(mut self, mut records: mpsc::UnboundedReceiver<Record>) {
        let mut is_open = true;
        let mut result = settle(&self.clerk).await;
        while is_open || !self.unwritten.is_empty() {
            if let Err(error) = result {
                tracing::warn!(%error, "the journal could not be written; it is tried again");
                if error.is_lost_connection() {
                    self.reconnect().await;
                }
                tokio::time::sleep(AGAIN).await;
            }
            let before = self.unwritten.len();
            if before < BATCH && is_open {
                let wait =
                    if before == 0 { HEARTBEAT } else { TOGETHER.saturating_sub(self.written.elapsed()) };
                tokio::select! {
                    biased;
                    received = records.recv_many(&mut self.unwritten, BATCH - before) => is_open = received > 0,
                    () = tokio::time::sleep(wait) => {}
                }
                let more = self.unwritten.len() > before && self.unwritten.len() < BATCH && is_open;
                if more && self.written.elapsed() < TOGETHER {
                    result = Ok(());
                    continue;
                }
            }
            self.missing.store(self.given_up + self.unwritten.len() + records.len(), Ordering::Relaxed);
            result = if self.unwritten.is_empty() { self.heartbeat().await } else { self.write().await };
            self.written = Instant::now();
            self.missing.store(self.given_up + self.unwritten.len() + records.len(), Ordering::Relaxed);
        }
        self.clerk.close().await;
    }

    async fn reconnect(&mut self) {
        // Where it lives again it is left alone: it may be that of others, too.
        if let Err(error) = async {
            self.clerk.revive().await?;
            settle(&self.clerk).await
        }
        .await
        {
            tracing::warn!(%error, "the journal's session could not be had again");
        }
    }

    /// Writes what is to be written. What is not, stays.
    async fn write(&mut self) -> Result<(), Error> {
        match self.insert(&self.unwritten.clone()).await {
            Ok(()) => self.unwritten.clear(),
            // One of them is not for the server's eyes (a NUL character, for one): the others are.
            Err(error) if is_about_the_data(&error) => {
                while let Some(first) = self.unwritten.first().cloned() {
                    match self.insert(&[first]).await {
                        Ok(()) => {}
                        Err(error) if is_about_the_data(&error) => self.given_up += 1,
                        Err(error) => return Err(error),
                    }
                    self.unwritten.remove(0);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Only while the deployment is still ours: a process that slept while another took over writes nothing. What an
    /// attempt has written whose answer was lost is not written twice.
    async fn insert(&mut self, batch: &[Record]) -> Result<(), Error> {
        let bodies: Vec<_> =
            batch.iter().map(|record| serde_json::to_value(record).unwrap_or_default()).collect();
        let text = format!(
            "INSERT INTO {0}.journal (deployment, seq, at, event, body) \
             SELECT $1, (b ->> 'seq')::bigint, (b ->> 'ts')::timestamptz, b ->> 'event', b - '{{v,seq,ts,deployment,event}}'::text[] \
             FROM pg_catalog.unnest($2::jsonb[]) WITH ORDINALITY AS r(b, place) \
             WHERE EXISTS (SELECT FROM {0}.deployments WHERE number = $1 AND status = 'running') \
             ORDER BY place ON CONFLICT (deployment, seq) DO NOTHING",
            self.ledger
        );
        query(&text)
            .bind(self.deployment)
            .bind(bodies)
            .execute(self.clerk.session().await.connection())
            .await?;
        Ok(())
    }

    async fn heartbeat(&mut self) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.deployments SET heartbeat_at = clock_timestamp() WHERE number = $1 AND status = 'running'",
            self.ledger
        );
        query(&text).bind(self.deployment).execute(self.clerk.session().await.connection()).await?;
        Ok(())
    }
}

/// Class 22, "data exception" (Appendix A of the manual).
fn is_about_the_data(error: &Error) -> bool {
    error.sqlstate().is_some_and(|code| code.starts_with("22"))
}
