//! An application's or an operator's own session with the database.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};
use tokio::runtime::Runtime;

/// A session that tests talk to without being async themselves.
pub(crate) struct Client {
    runtime: Runtime,
    connection: PgConnection,
}

impl Client {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options: sqlx::postgres::PgConnectOptions = url.parse().expect("a URL");
        let options = options.disable_statement_logging();
        let connection = runtime.block_on(options.connect()).expect("a session");
        Self { runtime, connection }
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn run(&mut self, text: &str) {
        self.try_run(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    pub(crate) fn try_run(&mut self, text: &str) -> Result<(), sqlx::Error> {
        self.runtime
            .block_on(self.connection.execute(sqlx::raw_sql(AssertSqlSafe(text.to_owned()))))
            .map(drop)
    }

    #[track_caller]
    fn value(&mut self, text: &str, cast: &str) -> PgRow {
        let query = sqlx::query(AssertSqlSafe(format!("WITH q(v) AS (SELECT {text}) SELECT {cast} FROM q")))
            .persistent(false);
        self.runtime
            .block_on(query.fetch_one(&mut self.connection))
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// One number: what follows SELECT.
    #[track_caller]
    pub(crate) fn number(&mut self, text: &str) -> i64 {
        self.value(text, "v::int8").get(0)
    }

    /// One value as text: what follows SELECT; `NULL` as such.
    #[track_caller]
    pub(crate) fn text(&mut self, text: &str) -> String {
        self.value(text, "coalesce(v::text, 'NULL')").get(0)
    }

    /// Whether something is so: what follows SELECT.
    #[track_caller]
    pub(crate) fn is(&mut self, text: &str) -> bool {
        self.value(text, "v::bool").get(0)
    }

    /// The backend of this session.
    pub(crate) fn pid(&mut self) -> i64 {
        self.number("pg_backend_pid()")
    }

    pub(crate) fn close(self) {
        let _ = self.runtime.block_on(self.connection.close());
    }
}
