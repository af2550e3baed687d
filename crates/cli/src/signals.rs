//! SIGINT and SIGTERM: the first asks for a clean stop, the second does not ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use orchestrator::Exit;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// What a command may ask about signals.
#[derive(Clone)]
pub(crate) struct Signals {
    pub(crate) stop: CancellationToken,
    received: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen(told: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let signals = Self { stop: CancellationToken::new(), received: Arc::new(AtomicU8::new(0)) };
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let heard = signals.clone();
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    _ = interrupt.recv() => SIGINT,
                    _ = terminate.recv() => SIGTERM,
                };
                if heard.stop.is_cancelled() {
                    // The server rolls back what is open; the next deploy goes on from there.
                    #[allow(clippy::exit)]
                    std::process::exit(128 + i32::from(number));
                }
                heard.received.store(number, Ordering::Relaxed);
                heard.stop.cancel();
                told();
            }
        });
        Ok(signals)
    }

    /// The signal that asked for the stop.
    pub(crate) fn received(&self) -> Option<u8> {
        Some(self.received.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }

    /// What decides the exit code: the number of the signal that asked for the stop, and `--detailed-exitcode`.
    pub(crate) fn exit(&self, detailed: bool) -> Exit {
        Exit { detailed, signal: Arc::clone(&self.received) }
    }
}
