//! Where a database is, without ever showing the secret in it.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::address;
use crate::error::Error;
use crate::session::Session;

/// A database's address. `Display` and `Debug` show host, port and database; never user or password.
#[derive(Clone)]
pub struct Target {
    options: PgConnectOptions,
    shown: String,
    /// How long a server may take to accept a session; `None` for ever.
    connect_timeout: Option<Duration>,
}

impl Target {
    /// Understands `postgresql://user:password@host:port/database?sslmode=..` with the parameters of libpq
    /// (section 34.1.2 of the manual) that the driver knows.
    pub fn parse(url: &SecretString) -> Result<Self, Error> {
        let text = url.expose_secret();
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(Error::Address("must start with postgresql://".into()));
        }
        let connect_timeout = address::connect_timeout(text).map_err(Error::Address)?;
        // The driver's message may quote the text, and the text holds the password.
        let options = PgConnectOptions::from_str(&address::readable(text))
            .map_err(|_| Error::Address("is not a valid postgresql:// URL".into()))?
            .disable_statement_logging();
        let host = match options.get_socket() {
            Some(directory) => directory.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let shown = format!("{host}/{database}");
        Ok(Self { options, shown, connect_timeout })
    }

    /// Whether nothing between us and the server can listen: a socket, or this machine.
    pub fn is_local(&self) -> bool {
        let host = self.options.get_host();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.options.get_socket().is_some()
            || host.starts_with('/')
            || host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback())
    }

    /// The same database, with TLS unless it is local. What a URL rules out (`sslmode=disable`) stays ruled out.
    pub fn demanding_tls(mut self) -> Self {
        if !self.is_local() && matches!(self.options.get_ssl_mode(), PgSslMode::Prefer) {
            self.options = self.options.ssl_mode(PgSslMode::Require);
        }
        self
    }

    /// Whether a session may be had without TLS although somebody could listen.
    pub fn may_be_in_clear(&self) -> bool {
        let demands = matches!(
            self.options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        );
        !self.is_local() && !demands
    }

    /// Opens a session whose `application_name` is `pgdeploy/<role>`, within the URL's `connect_timeout`.
    pub async fn connect(&self, role: &str) -> Result<Session, Error> {
        self.open(role, "").await
    }

    async fn open(&self, role: &str, settings: &str) -> Result<Session, Error> {
        let options = self.options.clone().application_name(&format!("pgdeploy/{role}"));
        self.in_time(async { Session::open(options.connect().await?, self, settings).await }).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(limit) = self.connect_timeout else { return work.await };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let message = format!("no answer within {}s (connect_timeout)", limit.as_secs());
            Err(Error::Connection(std::io::Error::new(ErrorKind::TimedOut, message)))
        })
    }

    /// Opens a session that cannot write: what `plan` and `status` look through.
    pub async fn connect_read_only(&self, role: &str) -> Result<Session, Error> {
        self.open(role, "SET default_transaction_read_only = on").await
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Target({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_form_of_output_shows_who_or_with_which_password() {
        let url = SecretString::from("postgresql://alice:canary@db.internal:6543/crm?sslmode=disable");
        let target = Target::parse(&url).unwrap();
        assert_eq!(target.to_string(), "db.internal:6543/crm");
        assert!(!format!("{target:?}").contains("canary"));
        let wrong = Target::parse(&SecretString::from("postgresql://alice:canary@:x:/y")).unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("canary"));
    }

    #[test]
    fn a_socket_directory_is_an_address() {
        let target =
            Target::parse(&SecretString::from("postgresql:///crm?host=/run/pg&user=postgres")).unwrap();
        assert_eq!(target.to_string(), "/run/pg/crm");
        let target = Target::parse(&SecretString::from("postgresql://postgres@/crm?host=/run/pg")).unwrap();
        assert_eq!(target.to_string(), "/run/pg/crm");
    }
}
