//! The throwaway server with a copy of the target's schema.

use postgres::{Row, Session, Target};
use scratch::{Binaries, Server};
use secrecy::SecretString;
use sql::Source;

use crate::dump;
use crate::error::Error;

const DATABASE: &str = "proof";

/// A throwaway server; gone when it is dropped.
#[derive(Debug)]
pub struct Shadow {
    server: Server,
    target: Target,
    /// What is not as on the target.
    pub notes: Vec<String>,
}

impl Shadow {
    /// A server of the target's major version where there is one, with the target's schema, its roles, and the settings
    /// that names and types depend on. No row is read. `session` and `url` are of the target, `ledger` is left out.
    pub async fn of_target(session: &mut Session, url: &SecretString, ledger: &str) -> Result<Self, Error> {
        let major = session.version_number() / 10_000;
        let (server, mut notes) = start(Some(major)).await?;
        let (binaries, url, ledger) = (server.binaries().clone(), url.clone(), ledger.to_owned());
        if binaries.major_version() < major {
            let older = format!(
                "pg_dump {} cannot read a server of version {major}: install its programs here",
                binaries.major_version()
            );
            return Err(Error::Dump(older));
        }
        let roles = roles(session).await?;
        let settings = settings(session).await?;
        let target = Target::parse(&SecretString::from(server.url(DATABASE)))?;
        let mut own = target.connect("prove").await?;
        for role in roles {
            // One that is there already, such as the superuser.
            let _ = own.run(&format!("CREATE ROLE {}", sql::identifier(&role))).await;
        }
        for (name, value) in settings {
            let text = format!("ALTER DATABASE {DATABASE} SET {name} TO {value}");
            own.run(&text).await?;
        }
        own.close().await;
        let own_url = server.url(DATABASE);
        let complaints = tokio::task::spawn_blocking(move || {
            let text = dump::dump(&binaries.program("pg_dump"), &url, &ledger)?;
            dump::restore(&binaries.program("psql"), &own_url, &text)
        })
        .await??;
        if !complaints.is_empty() {
            notes.push(format!("not restored: {}", complaints.join("; ")));
        }
        Ok(Self { server, target, notes })
    }

    /// A server on which the migrations that the target has had are run again, for a target whose schema cannot be read.
    pub async fn of_files(applied: &[&Source], major: Option<u32>) -> Result<Self, Error> {
        let (server, mut notes) = start(major).await?;
        let target = Target::parse(&SecretString::from(server.url(DATABASE)))?;
        let mut session = target.connect("prove").await?;
        for source in applied {
            session.script(&source.text).await.map_err(|failed| Error::History {
                file: source.path.display().to_string(),
                message: failed.error.to_string(),
            })?;
            session.reset().await?;
        }
        session.close().await;
        notes.push(format!("the schema is that of {} applied files, not the target's own", applied.len()));
        Ok(Self { server, target, notes })
    }

    /// The major version of the server.
    pub fn major_version(&self) -> u32 {
        self.server.binaries().major_version()
    }

    /// A session to prove with.
    pub async fn session(&self) -> Result<Session, Error> {
        Ok(self.target.connect("prove").await?)
    }

    /// Stops the server and waits for its end.
    pub async fn stop(self) -> Result<(), Error> {
        Ok(tokio::task::spawn_blocking(move || drop(self.server)).await?)
    }
}

/// Without autovacuum, whose locks and WAL would be charged to a migration.
async fn start(major: Option<u32>) -> Result<(Server, Vec<String>), Error> {
    let (server, notes) = tokio::task::spawn_blocking(move || {
        let same = major.and_then(Binaries::of_major);
        let (binaries, mut notes) = (same.map_or_else(Binaries::find, Ok)?, Vec::new());
        if let Some(major) = major.filter(|major| *major != binaries.major_version()) {
            notes.push(format!(
                "the throwaway server is PostgreSQL {}, the target is {major}",
                binaries.major_version()
            ));
        }
        let server = Server::builder().binaries(binaries).setting("autovacuum", "off").start()?;
        server.create_database(DATABASE)?;
        Ok::<_, scratch::Error>((server, notes))
    })
    .await??;
    Ok((server, notes))
}

async fn roles(session: &mut Session) -> Result<Vec<String>, postgres::Error> {
    let rows = session.all("SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'").await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// As `ALTER DATABASE .. SET` takes them.
async fn settings(session: &mut Session) -> Result<Vec<(&'static str, String)>, postgres::Error> {
    let row = session.one("SELECT current_setting('search_path'), current_setting('TimeZone')").await?;
    let (path, zone): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    // A list is written as a list: in quotes it would be one name.
    Ok(vec![
        ("search_path", if path.trim().is_empty() { "''".into() } else { path }),
        ("TimeZone", sql::literal(&zone)),
    ])
}
