//! The journal: every event of a deployment, written behind the deploy's back by a session of its own.

use std::time::Duration;

use postgres::{Error, Session, query};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::record::Record;

/// How often the deployment's row shows that somebody is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The task that writes. A journal that cannot be written does not fail a deploy: it explains, it does not decide.
pub(crate) struct Journal {
    task: JoinHandle<()>,
}

impl Journal {
    /// Starts to write what has happened so far and what will.
    pub(crate) fn start(
        session: Session,
        ledger: &str,
        deployment: i64,
        records: mpsc::UnboundedReceiver<Record>,
    ) -> Self {
        let writer = Writer { session, ledger: sql::identifier(ledger), deployment };
        Self { task: tokio::spawn(writer.write_all(records)) }
    }

    /// Waits until all is written. The recorder must be gone by then.
    pub(crate) async fn finish(self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.task).await;
    }
}

struct Writer {
    session: Session,
    ledger: String,
    deployment: i64,
}

impl Writer {
    async fn write_all(mut self, mut records: mpsc::UnboundedReceiver<Record>) {
        let mut batch = Vec::new();
        loop {
            let written = tokio::select! {
                received = records.recv_many(&mut batch, 100) => match received {
                    0 => break,
                    _ => self.write(&batch).await,
                },
                () = tokio::time::sleep(HEARTBEAT) => self.heartbeat().await,
            };
            batch.clear();
            // A lost session is replaced; what it had in hand is lost with it.
            if let Err(error) = written {
                tracing::warn!(%error, "the journal could not be written");
                if let Ok(session) = self.session.target().clone().connect("journal").await {
                    self.session = session;
                }
            }
        }
        self.session.close().await;
    }

    /// Only while the deployment is still ours: a process that slept while another took over writes nothing.
    async fn write(&mut self, batch: &[Record]) -> Result<(), Error> {
        let bodies: Vec<_> =
            batch.iter().map(|record| serde_json::to_value(record).unwrap_or_default()).collect();
        let text = format!(
            "INSERT INTO {0}.journal (deployment, seq, at, event, body) \
             SELECT $1, (b ->> 'seq')::bigint, (b ->> 'ts')::timestamptz, b ->> 'event', b - '{{v,seq,ts,deployment,event}}'::text[] \
             FROM unnest($2::jsonb[]) AS r(b) WHERE EXISTS (SELECT FROM {0}.deployments WHERE number = $1 AND status = 'running')",
            self.ledger
        );
        query(&text).bind(self.deployment).bind(bodies).execute(self.session.connection()).await?;
        Ok(())
    }

    async fn heartbeat(&mut self) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.deployments SET heartbeat_at = clock_timestamp() WHERE number = $1 AND status = 'running'",
            self.ledger
        );
        query(&text).bind(self.deployment).execute(self.session.connection()).await?;
        Ok(())
    }
}
