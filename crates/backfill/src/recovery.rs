//! What follows an error: another attempt, or the end with the row or the place that is to blame.

use std::time::Instant;

use postgres::Error;

use crate::event::Event;
use crate::failure::{Ended, Remedy, remedy, told};
use crate::lookup::{self, Lookup};
use crate::worker::{Worker, backoff};

/// Attempts in a row that gave way to others before we come back at the next deploy.
const STUBBORN: u32 = 5;
/// Rounds of waiting for what the server is short of.
const SHORTAGES: u32 = 30;

impl Worker<'_> {
    /// Decides about an error. `None`: another attempt.
    pub(crate) async fn recover(&mut self, error: Error) -> Option<Ended> {
        let mut remedy = remedy(&error);
        if remedy != Remedy::Reconnect && !self.rolled_back().await {
            remedy = Remedy::Reconnect;
        }
        if self.stage.stop.is_cancelled() {
            return Some(Ended::Interrupted);
        }
        // Errors in a row: batches between them are a new beginning.
        let batches = self.progress.batches;
        if batches > self.repeated.1 {
            (self.repeated, self.backoff) = ((0, batches), backoff());
        }
        self.repeated.0 += 1;
        let repeated = self.repeated.0;
        let over = Instant::now() >= self.deadline;
        match remedy {
            Remedy::Reconnect => {
                self.session = None;
                if repeated == 1 {
                    (self.stage.events)(Event::Reconnecting {
                        id: self.definition.id.clone(),
                        table: self.definition.shown_table(),
                        reason: error.to_string(),
                    });
                }
            }
            Remedy::Retry => {}
            Remedy::GiveWay if repeated <= STUBBORN => {}
            Remedy::GiveWay => return Some(Ended::Incomplete(format!("others hold what it needs: {error}"))),
            // Nothing else takes so long that the budget's end cancels it.
            Remedy::Shrink if over => {
                let why = "the budget is over, in the middle of the look whether rows are left to do: it takes longer than that";
                return Some(Ended::Incomplete(self.beside_newcomers(why.to_owned())));
            }
            Remedy::Shrink | Remedy::Bisect => return Some(self.failed(error).await),
            Remedy::Wait if repeated > SHORTAGES => return Some(Ended::Incomplete(error.to_string())),
            Remedy::Wait => {}
            Remedy::Abort => return Some(Ended::Abort(error.to_string())),
            Remedy::Fail => return Some(self.failed(error).await),
        }
        if over {
            return Some(Ended::Incomplete(format!("the budget is over: {error}")));
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.next_wait()) => {}
            () = self.stage.stop.cancelled() => {}
        }
        None
    }

    /// Whether the connection is usable again.
    pub(crate) async fn rolled_back(&mut self) -> bool {
        match &mut self.session {
            Some(session) => session.run("ROLLBACK").await.is_ok(),
            None => true,
        }
    }

    /// Names the place in the file, or the row, as far as they can be found.
    pub(crate) async fn failed(&mut self, error: Error) -> Ended {
        let sqlstate = error.sqlstate().map(str::to_owned);
        let detail =
            error.server().and_then(|report| report.detail.clone()).map(|detail| format!(": {detail}"));
        let reason = format!("{error}{}", detail.unwrap_or_default());
        let Some(session) = &mut self.session else { return Ended::Failed { sqlstate, reason } };
        if remedy(&error) == Remedy::Fail {
            // The position is one in our text; the server finds it in the user's, too.
            if let Ok(Some(Lookup::Waiting(problem) | Lookup::Refused(problem))) =
                lookup::explain(session, self.definition).await
            {
                return Ended::Failed { sqlstate, reason: told(&problem) };
            }
            return Ended::Failed { sqlstate, reason };
        }
        Ended::Failed { sqlstate, reason }
    }
}
