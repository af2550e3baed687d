//! One session: a connection with known settings.

use futures_util::StreamExt;
use sqlx::Either;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Executor, PgConnection};

use crate::cancel::Canceller;
use crate::error::{Error, ScriptError};
use crate::query::{query, script};
use crate::target::Target;

/// Settings that a role or a database may have turned against us (ALTER ROLE .. SET statement_timeout), brought to the
/// server's defaults. Each stage then sets its own, for its own transactions.
const BASELINE: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off; \
     SET row_security = on; SET synchronous_commit = DEFAULT";
/// The same for settings that older servers do not know, with the version that brought them.
const NEWER: [(u32, &str); 2] =
    [(140_000, "; SET idle_session_timeout = 0"), (170_000, "; SET transaction_timeout = 0")];

/// Who serves us, and in which version.
const WHO: &str = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version'), \
     pg_catalog.current_setting('server_version_num')::int4, pg_catalog.version()";

/// A connection to the server, with settings that are the same whoever we are.
pub struct Session {
    connection: PgConnection,
    target: Target,
    pid: i32,
    version: String,
    number: u32,
    linux: bool,
}

impl Session {
    /// `settings` are statements that set what the session needs beside the baseline.
    pub(crate) async fn open(
        connection: PgConnection,
        target: &Target,
        settings: &str,
    ) -> Result<Self, Error> {
        // What the server says at the start of a connection is enough to know its settings by; all in one call.
        let announced = connection.server_version_num().unwrap_or_default();
        let mut session = Self {
            connection,
            target: target.clone(),
            pid: 0,
            version: String::new(),
            number: announced,
            linux: false,
        };
        let row = session.answer(&format!("{WHO}; {}; {settings}", session.baseline())).await?;
        let row = row.ok_or_else(|| Error::Protocol("no row".into()))?;
        use sqlx::Row;
        session.pid = row.try_get(0)?;
        session.version = row.try_get::<String, _>(1)?.split(' ').next().unwrap_or_default().to_owned();
        session.number = row.try_get::<i32, _>(2)?.unsigned_abs();
        session.linux = row.try_get::<String, _>(3)?.contains("linux");
        if session.number != announced {
            session.run(&format!("{}; {settings}", session.baseline())).await?;
        }
        Ok(session)
    }

    fn baseline(&self) -> String {
        let newer = NEWER.iter().filter(|(since, _)| self.number >= *since).map(|(_, set)| *set);
        std::iter::once(BASELINE).chain(newer).collect()
    }

    /// The process id of the backend that serves us.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The server's version as people write it, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `server_version_num`, such as `150018`.
    pub fn version_number(&self) -> u32 {
        self.number
    }

    /// Whether the server can notice in the middle of a statement that its client has died
    /// (`client_connection_check_interval`, 14 and newer, where the system's poll tells).
    pub fn can_check_client(&self) -> bool {
        self.linux && self.number >= 140_000
    }

    /// How this session is encrypted, such as `TLSv1.3`; `None` where it is not.
    pub async fn tls(&mut self) -> Result<Option<String>, Error> {
        use sqlx::Row;
        let text =
            "SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid() AND ssl";
        Ok(self.answer(text).await?.map(|row| row.try_get(0)).transpose()?)
    }

    /// The database this session is with.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The driver's connection, for `query(..).bind(..).fetch_one(session.connection())`.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Sends text by the simple protocol. Several statements are one implicit transaction, unless the text says
    /// otherwise. Returns the number of rows of the last statement.
    pub async fn run(&mut self, text: &str) -> Result<u64, Error> {
        Ok(self.connection.execute(script(text)).await?.rows_affected())
    }

    /// Sends a file's text by the simple protocol. An error comes with the number of the statement, since the server
    /// does not give every error a position.
    pub async fn script(&mut self, text: &str) -> Result<(), ScriptError> {
        let mut succeeded = 0;
        let mut results = self.connection.fetch_many(script(text));
        while let Some(result) = results.next().await {
            match result {
                Ok(Either::Left(_)) => succeeded += 1,
                Ok(Either::Right(_)) => {}
                Err(error) => return Err(ScriptError { statement: Some(succeeded), error: error.into() }),
            }
        }
        Ok(())
    }

    /// Sends text by the simple protocol; the first row of what comes back, its values as text.
    pub async fn answer(&mut self, text: &str) -> Result<Option<PgRow>, Error> {
        Ok(self.answers(text).await?.into_iter().next())
    }

    /// Sends text by the simple protocol; the rows of all its statements, their values as text.
    pub async fn answers(&mut self, text: &str) -> Result<Vec<PgRow>, Error> {
        Ok(self.connection.fetch_all(script(text)).await?)
    }

    /// All rows of a query without parameters.
    pub async fn all(&mut self, text: &str) -> Result<Vec<PgRow>, Error> {
        Ok(query(text).fetch_all(&mut self.connection).await?)
    }

    /// The one row of a query without parameters.
    pub async fn one(&mut self, text: &str) -> Result<PgRow, Error> {
        Ok(query(text).fetch_one(&mut self.connection).await?)
    }

    /// Whatever a user's file did to the session's settings is undone, so that it does not leak into the next.
    pub async fn reset(&mut self) -> Result<(), Error> {
        // Temporary tables, advisory locks, prepared statements and LISTEN too. Alone in its call, it fails inside a
        // transaction, should one have been left open: its parts together in one call would be part of that.
        self.run("DISCARD ALL").await?;
        self.run(&self.baseline()).await.map(drop)
    }

    /// Statements that do the same, for the end of a call that has ended its transaction: DISCARD ALL would have to be
    /// alone (manual, "DISCARD", which lists them).
    pub fn as_new(&self) -> String {
        format!(
            "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; \
             SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; {}",
            self.baseline()
        )
    }

    /// As a new one would be, under another name.
    pub(crate) async fn renew(&mut self, role: &str) -> Result<(), Error> {
        self.reset().await?;
        self.run(&format!("SET application_name = 'pgdeploy/{role}'")).await.map(drop)
    }

    /// From now on waits for whoever holds a table, but not for ever: for reading the catalog and for our own records.
    pub async fn bounded(&mut self) -> Result<(), Error> {
        self.run("SET lock_timeout = '10s'").await.map(drop)
    }

    /// What can end a statement of this session from outside.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(self.target.clone(), self.pid)
    }

    /// Ends the session in an orderly way. Dropping it closes the socket, which the server notices when it next reads.
    pub async fn close(self) {
        // A connection that cannot be closed politely is closed all the same.
        let _ = self.connection.close().await;
    }
}
