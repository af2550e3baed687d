//! Why nothing could be proven. A migration that fails on the throwaway server is no error: it is part of its report.

/// Why nothing could be proven.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The throwaway server does not start.
    #[error("the throwaway server does not start: {0}")]
    Server(#[from] scratch::Error),
    /// The throwaway server or the target does not answer.
    #[error(transparent)]
    Session(#[from] postgres::Error),
    /// pg_dump is not there, or fails.
    #[error("the schema of the target cannot be read: {0}")]
    Dump(String),
    /// An applied migration cannot be run again on an empty server.
    #[error("{file} cannot be run on an empty server: {message}")]
    History {
        /// Which.
        file: String,
        /// What the server says.
        message: String,
    },
    /// A thread died.
    #[error("a task of the proof ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}
