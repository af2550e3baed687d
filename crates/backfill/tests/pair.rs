//! A primary and a standby of it, on this machine.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use postgres::{Session, Target};
use scratch::{Mode, Server};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::bench::Bench;

pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
    /// Where clients go: a link to the directory of one's socket.
    address: TempDir,
    database: &'static str,
}

impl Pair {
    /// Both run, the standby streams from the primary through the slot `pair`, and clients go to the primary. There is a
    /// database, and a table in it to count on.
    pub(crate) async fn new(database: &'static str, rows: u32) -> Result<(Self, Bench)> {
        let mut primary = Server::throwaway()?;
        primary.create_database(database)?;
        let mut bench = Bench::at(primary.url(database)).await?;
        bench.count(rows).await?;
        bench.sql("SELECT pg_create_physical_replication_slot('pair', true)").await?;
        let from = format!("host={} user=postgres application_name=replica", primary.socket_dir().display());
        let mut standby = Server::builder()
            .setting("primary_conninfo", &from)
            .setting("primary_slot_name", "pair")
            .setting("wal_receiver_status_interval", "1s")
            .setting("wal_retrieve_retry_interval", "100ms")
            .start()?;
        standby.stop(Mode::Fast)?;
        primary.stop(Mode::Fast)?;
        // A copy of a server that is not running needs no more than that; pg_basebackup is not in every package.
        let (here, there) = (primary.data_dir(), standby.data_dir());
        let script = "rm -rf \"$2\" && cp -a \"$1\" \"$2\" && rm -rf \"$2\"/pg_replslot/* && touch \"$2/standby.signal\"";
        run(&standby, Command::new("sh").args(["-c", script, "copy"]).arg(here).arg(there))?;
        primary.start()?;
        standby.start()?;
        let pair = Self { primary, standby, address: tempfile::tempdir()?, database };
        pair.leads_to(&pair.primary)?;
        let mut bench = Bench::at(pair.url()).await?;
        let streams = "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'";
        trial::until_true(&mut bench.admin, streams).await?;
        Ok((pair, bench))
    }

    fn url(&self) -> String {
        let here = self.primary.socket_dir().to_string_lossy().into_owned();
        let link = self.address.path().join("s").to_string_lossy().into_owned();
        self.primary.url(self.database).replace(&here, &link)
    }

    fn leads_to(&self, server: &Server) -> Result<()> {
        let (link, next) = (self.address.path().join("s"), self.address.path().join("next"));
        std::os::unix::fs::symlink(server.socket_dir(), &next)?;
        std::fs::rename(next, link).context("a link")
    }

    /// From now on clients find the standby where the primary was.
    pub(crate) fn leads_to_the_standby(&self) -> Result<()> {
        self.leads_to(&self.standby)
    }

    /// A session with the standby, whoever clients go to.
    pub(crate) async fn on_standby(&self) -> Result<Session> {
        let target = Target::parse(&SecretString::from(self.standby.url(self.database)))?;
        Ok(target.connect_read_only("application").await?)
    }
}

/// Runs a program as the server's user.
fn run(server: &Server, command: &mut Command) -> Result<()> {
    if server.account().is_other() {
        command.uid(server.account().uid()).gid(server.account().gid());
    }
    let output = command.current_dir(Path::new("/")).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}
