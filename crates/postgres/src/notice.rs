//! What the server says beside its answers: `RAISE NOTICE`, `RAISE WARNING`, "relation already exists, skipping".
//!
//! The driver hands notices to `tracing` and nowhere else. A [`notice_layer`] in the program's subscriber takes them from
//! there and gives each to the [`Notices`] within whose scope it arrived. Without the layer nothing is collected.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Where the driver sends them.
const TARGET: &str = "sqlx::postgres::notice";

tokio::task_local! {
    static SCOPE: Notices;
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `WARNING`.
    Warning,
    /// `NOTICE`.
    Notice,
    /// `INFO` or `LOG`.
    Info,
    /// `DEBUG1` to `DEBUG5`.
    Debug,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// Its primary text.
    pub message: String,
}

/// Collects the notices that arrive while a future runs.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    /// Runs `work`; what the server says meanwhile can be taken afterwards, or while it runs.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        SCOPE.scope(self.clone(), work).await
    }

    /// What has arrived since the last call.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, notice: Notice) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
    }
}

/// Part of a `tracing` subscriber: `registry().with(notice_layer())`.
pub fn notice_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    NoticeLayer.with_filter(filter_fn(|metadata| metadata.target() == TARGET))
}

struct NoticeLayer;

impl<S: Subscriber> Layer<S> for NoticeLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = match *event.metadata().level() {
            Level::ERROR | Level::WARN => Severity::Warning,
            Level::INFO => Severity::Notice,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Info,
        };
        let mut text = Text::default();
        event.record(&mut text);
        // Outside of every scope nobody asked.
        let _ = SCOPE.try_with(|notices| notices.push(Notice { severity, message: text.0 }));
    }
}

/// The event's message.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }
}
