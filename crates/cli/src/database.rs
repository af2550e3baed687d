//! An environment's database: a URL, or the embedded server started for us.

use std::path::{Path, PathBuf};

use anyhow::Context;
use postgres::Target;
use scratch::{Embedded, Running};
use secrecy::SecretString;

/// A database that can be connected to; an embedded server runs as long as this lives.
pub(crate) struct Database {
    pub(crate) target: Target,
    /// Its address with everything in it, for the server's own programs.
    pub(crate) url: SecretString,
    /// Kept for its end: the last user stops the server.
    pub(crate) running: Option<Running>,
}

/// The embedded server of a pipeline's directory.
pub(crate) fn embedded(directory: &Path) -> anyhow::Result<Embedded> {
    Embedded::at(&home(directory)).context("the embedded server's directory cannot be used")
}

fn home(directory: &Path) -> PathBuf {
    directory.join(".pgdeploy")
}

impl Database {
    /// Starts the embedded server, or joins the one that runs, and makes sure that the database exists.
    pub(crate) async fn embedded(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let (directory, name) = (directory.to_owned(), name.to_owned());
        // The server's programs are waited for with blocking calls.
        tokio::task::spawn_blocking(move || {
            let running = embedded(&directory)?.start()?;
            running.ensure_database(&name)?;
            let url = SecretString::from(running.url(&name));
            let target = Target::parse(&url)?;
            Ok(Self { target, url, running: Some(running) })
        })
        .await?
    }

    pub(crate) fn at(url: &SecretString) -> Result<Self, postgres::Error> {
        Ok(Self { target: Target::parse(url)?, url: url.clone(), running: None })
    }

    /// Lets the embedded server run without us.
    pub(crate) async fn leave(self) {
        if let Some(running) = self.running {
            let _ = tokio::task::spawn_blocking(move || running.keep()).await;
        }
    }

    /// Stops the embedded server, if we are the last to use it.
    pub(crate) async fn stop(self) {
        if let Some(running) = self.running {
            let _ = tokio::task::spawn_blocking(move || running.stop()).await;
        }
    }
}
