//! PgBouncer between us and the server: refused in transaction mode, welcome in session mode.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Client, Project, server, until};

/// A PgBouncer on a socket of its own, gone with the test.
struct Pooler {
    child: Child,
    directory: TempDir,
}

impl Pooler {
    fn start(mode: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().display();
        let upstream = server().socket_dir().display();
        let settings = format!(
            "[databases]\n* = host={upstream} port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {path}\nauth_type = any\npool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n\
             pidfile = {path}/pid\nlogfile = {path}/log\n"
        );
        std::fs::write(directory.path().join("ini"), settings).expect("settings");
        let account = server().account();
        std::os::unix::fs::chown(directory.path(), Some(account.uid()), Some(account.gid()))
            .expect("a directory of its own");
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"]
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
            .unwrap_or("pgbouncer");
        let mut command = Command::new(program);
        command.arg("-q").arg(directory.path().join("ini")).stdin(Stdio::null()).stderr(Stdio::null());
        if account.is_other() {
            command.uid(account.uid()).gid(account.gid());
        }
        let child = command.spawn().expect("PgBouncer, which scripts/test installs");
        let pooler = Self { child, directory };
        until("PgBouncer listens", || pooler.directory.path().join(".s.PGSQL.6432").exists());
        pooler
    }

    fn url(&self, database: &str) -> String {
        format!("postgresql:///{database}?host={}&port=6432&user=postgres", self.directory.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn deploy_through(mode: &str) -> (crate::harness::Outcome, Client) {
    let pooler = Pooler::start(mode);
    let direct = Project::new();
    let mut client = direct.client();
    let name = client.text("current_database()");
    let project = Project::at(&pooler.url(&name))
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    (project.deploy(), client)
}

#[test]
fn a_pooler_in_transaction_mode_is_refused_with_the_way_out() {
    let (outcome, mut client) = deploy_through("transaction");
    outcome.exits(2).says("E309").says("transaction mode").says("the server's own address");
    assert_eq!(client.text("to_regnamespace('pgdeploy')"), "NULL", "nothing was touched");
}

#[test]
fn a_pooler_in_session_mode_works() {
    let (outcome, mut client) = deploy_through("session");
    outcome.exits(0);
    assert_eq!(client.text("to_regclass('a_b_idx')"), "a_b_idx");
}
