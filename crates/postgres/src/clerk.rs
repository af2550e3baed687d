//! The session that keeps the ledger. Where connections are scarce, several share one, taking turns.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::error::Error;
use crate::session::Session;

/// A session that may have several users, one at a time.
#[derive(Clone)]
pub struct Clerk(Arc<Mutex<Session>>);

impl Clerk {
    /// One that has no other user yet.
    pub fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    /// The session, as soon as nobody else has it.
    pub async fn session(&self) -> MutexGuard<'_, Session> {
        self.0.lock().await
    }

    /// A deploy may take hours, and an idle session may have been ended meanwhile: then another takes its place.
    pub async fn revive(&self) -> Result<(), Error> {
        let mut session = self.session().await;
        match session.run("SELECT 1").await {
            Err(error) if error.is_lost_connection() => {
                *session = session.target().clone().connect("ledger").await?;
                session.bounded().await
            }
            other => other.map(drop),
        }
    }

    /// Whether somebody else uses it, too.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Ends it, unless somebody else has a use for it.
    pub async fn close(self) {
        if let Some(session) = Arc::into_inner(self.0) {
            session.into_inner().close().await;
        }
    }
}
