//! The session that has read the plan. Where connections are scarce, a stage works in it while nobody else needs it.

use postgres::{RunLock, Session};

use crate::failure::Failure;

/// It is here, or lent to the lock, which gives it to whoever asks for a session next.
pub(crate) struct MainSession(Option<Session>);

impl MainSession {
    pub(crate) fn new(session: Session) -> Self {
        Self(Some(session))
    }

    /// Lends it.
    pub(crate) fn lend(&mut self, lock: &RunLock) {
        if let Some(session) = self.0.take() {
            lock.lend(session);
        }
    }

    /// It, or another in its place where a stage has used it up.
    pub(crate) async fn here(&mut self, lock: &RunLock) -> Result<&mut Session, Failure> {
        let session = match self.0.take() {
            Some(session) => session,
            None => {
                let mut session = lock.session("connect").await.map_err(Failure::session)?;
                session.bounded().await.map_err(Failure::session)?;
                session
            }
        };
        Ok(self.0.insert(session))
    }

    /// Ends it, wherever it is.
    pub(crate) async fn close(self, lock: &RunLock) {
        if let Some(session) = self.0.or_else(|| lock.take_back()) {
            session.close().await;
        }
    }
}
