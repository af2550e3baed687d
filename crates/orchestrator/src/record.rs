//! An event with its place in the stream: the line of `--format jsonl`, the row of the journal.

use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::event::{DeployEvent, Event, FileProblem};

/// One line of the stream. `seq` counts from 1 without gaps.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Record {
    /// Version of this format.
    pub v: u32,
    /// Place in the stream, from 1.
    pub seq: u64,
    /// When.
    pub ts: DateTime<Utc>,
    /// The deployment's number, once it has one.
    pub deployment: Option<i64>,
    /// Name of the environment.
    pub env: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Record {
    /// The only line of a stream that ends before a deploy has begun.
    pub fn refusal(
        environment: &str,
        exit: i32,
        code: &str,
        message: &str,
        problems: Vec<FileProblem>,
        next: Option<String>,
    ) -> Self {
        let event = DeployEvent::Finished {
            status: "failed".to_owned(),
            exit,
            duration_ms: 0,
            code: Some(code.to_owned()),
            message: Some(message.to_owned()),
            problems,
            next,
            services: None,
        };
        Self {
            v: 1,
            seq: 1,
            ts: Utc::now(),
            deployment: None,
            env: environment.to_owned(),
            event: event.into(),
        }
    }
}

/// Sees every record as it happens. It must return at once.
pub type Observer<'a> = &'a (dyn Fn(&Record) + Send + Sync);

/// Gives events their place and hands them to the observer and to the journal.
pub(crate) struct Recorder<'a> {
    env: String,
    observer: Observer<'a>,
    journal: mpsc::UnboundedSender<Record>,
    place: Mutex<(u64, Option<i64>)>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(env: &str, observer: Observer<'a>) -> (Self, mpsc::UnboundedReceiver<Record>) {
        let (journal, records) = mpsc::unbounded_channel();
        (Self { env: env.to_owned(), observer, journal, place: Mutex::new((0, None)) }, records)
    }

    /// Under one mutex from counting to handing on, so that nobody ever sees 5 before 4.
    pub(crate) fn record(&self, event: impl Into<Event>) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.0 += 1;
        let (seq, deployment) = *place;
        let record =
            Record { v: 1, seq, ts: Utc::now(), deployment, env: self.env.clone(), event: event.into() };
        (self.observer)(&record);
        if !record.event.is_progress() {
            // Without a journal (before the deployment has its row, after a lost connection) eyes still see it.
            let _ = self.journal.send(record);
        }
    }

    /// From now on records carry the deployment's number.
    pub(crate) fn number(&self, deployment: i64) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(deployment);
    }
}

/// The JSON Schema of a line of `--format jsonl`.
pub fn jsonl_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Record);
    schema.insert("title".into(), "A line of `pgdeploy deploy --format jsonl`".into());
    schema.to_value()
}
