//! What can go wrong with a session, by what can be done about it.

use std::fmt;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

/// A failed exchange with the server. Messages never hold a connection string.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with an error.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The connection could not be made or was lost: the outcome of what was under way is unknown.
    #[error("connection to the server failed: {0}")]
    Connection(#[source] std::io::Error),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The address of the database cannot be used.
    #[error("database address: {0}")]
    Address(String),
    /// The driver could not make sense of an answer.
    #[error("unexpected answer: {0}")]
    Protocol(String),
    /// The ledger was written by a newer pgdeploy.
    #[error("the ledger's {component} tables are at version {found}; this pgdeploy knows up to {known}")]
    NewerLedger {
        /// Which tables.
        component: String,
        /// The version in the database.
        found: i32,
        /// The newest version this binary can work with.
        known: i32,
    },
}

/// A file's text that failed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ScriptError {
    /// The statement that failed, from 0; `None` where that is unknown.
    pub statement: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<Error> for ScriptError {
    fn from(error: Error) -> Self {
        Self { statement: None, error }
    }
}

/// The fields of an error report (Frontend/Backend Protocol, section 55.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE, five characters (Appendix A of the manual).
    pub code: String,
    /// The primary message.
    pub message: String,
    /// More on what happened.
    pub detail: Option<String>,
    /// What the server suggests.
    pub hint: Option<String>,
    /// The constraint at issue.
    pub constraint: Option<String>,
    /// The call stack of functions, most recent first.
    pub context: Option<String>,
    /// The character, from 1, of the string that was sent.
    pub position: Option<usize>,
}

/// Shutdown, crash, start-up, and the timeouts of idle sessions and transactions: the connection is gone with the report.
const ENDS_THE_SESSION: [&str; 6] = ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"];

/// What an error means for whoever tries to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Waiting may help: the server is not there, starting, full, or the connection was lost.
    Unavailable,
    /// Who we are is refused: 28xxx.
    Authentication,
    /// What we want to do is refused: 42501.
    Permission,
    /// There is no such database: 3D000.
    NoDatabase,
    /// Others held what we needed: 55P03, 40P01, 40001. The whole transaction may be tried again.
    Contention,
    /// Cancelled by a person, by us, or by statement_timeout: 57014.
    Cancelled,
    /// Anything else: trying again gives the same.
    Definite,
}

impl Error {
    /// The SQLSTATE, where the server spoke.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(|error| error.code.as_str())
    }

    /// The server's report, where the server spoke.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Error::Server(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the connection is gone and the outcome of what was under way unknown.
    pub fn is_lost_connection(&self) -> bool {
        matches!(self, Error::Connection(_))
            || self.sqlstate().is_some_and(|code| ENDS_THE_SESSION.contains(&code))
    }

    /// What can be done about it.
    pub fn class(&self) -> Class {
        match self {
            Error::Connection(_) => Class::Unavailable,
            Error::Server(error) => match error.code.as_str() {
                "53300" => Class::Unavailable,
                code if ENDS_THE_SESSION.contains(&code) => Class::Unavailable,
                code if code.starts_with("08") => Class::Unavailable,
                code if code.starts_with("28") => Class::Authentication,
                "42501" => Class::Permission,
                "3D000" => Class::NoDatabase,
                "55P03" | "40P01" | "40001" => Class::Contention,
                "57014" => Class::Cancelled,
                _ => Class::Definite,
            },
            _ => Class::Definite,
        }
    }
}

/// Built from the fields: the driver's own text ends in a line number of PostgreSQL's C source.
impl fmt::Display for ServerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.message, self.code)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(report) => match report.try_downcast_ref::<PgDatabaseError>() {
                Some(report) => Error::Server(Box::new(report.into())),
                None => Error::Protocol(report.message().to_owned()),
            },
            // The driver's own words for this are "expected to read 5 bytes, got 0 bytes at EOF".
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Error::Connection(std::io::Error::new(error.kind(), "the server closed the connection"))
            }
            // As which rustls hands on what it thinks of a certificate: no waiting helps.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Error::Tls(error.to_string())
            }
            sqlx::Error::Io(error) => Error::Connection(error),
            sqlx::Error::Tls(error) => Error::Tls(error.to_string()),
            sqlx::Error::Configuration(error) => Error::Address(error.to_string()),
            other => Error::Protocol(other.to_string()),
        }
    }
}

impl From<&PgDatabaseError> for ServerError {
    fn from(report: &PgDatabaseError) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            code: report.code().to_owned(),
            message: report.message().to_owned(),
            detail: own(report.detail()),
            hint: own(report.hint()),
            constraint: own(report.constraint()),
            context: own(report.r#where()),
            position: match report.position() {
                Some(PgErrorPosition::Original(position)) => Some(position),
                _ => None,
            },
        }
    }
}
