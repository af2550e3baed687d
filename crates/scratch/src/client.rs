//! The few statements this crate sends itself, by the server's own psql.

use crate::account::clean;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::url::url;
use std::path::Path;

/// Creates a database, unless it exists; whether it was created.
pub(crate) fn ensure_database(binaries: &Binaries, socket_dir: &Path, name: &str) -> Result<bool, Error> {
    let exists = || {
        let literal = format!("'{}'", name.replace('\'', "''"));
        let rows =
            run(binaries, socket_dir, &format!("SELECT 1 FROM pg_database WHERE datname = {literal}"))?;
        Ok::<bool, Error>(!rows.is_empty())
    };
    if exists()? {
        return Ok(false);
    }
    match create_database(binaries, socket_dir, name) {
        // Another user was faster: there is no CREATE DATABASE IF NOT EXISTS.
        Err(error) => {
            if exists()? {
                Ok(false)
            } else {
                Err(error)
            }
        }
        Ok(()) => Ok(true),
    }
}

/// The application names of all client sessions but the one that asks.
pub(crate) fn sessions(binaries: &Binaries, socket_dir: &Path) -> Result<Vec<String>, Error> {
    let text = "SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY backend_start";
    Ok(run(binaries, socket_dir, text)?.lines().map(str::to_owned).collect())
}

/// Creates a database.
pub(crate) fn create_database(binaries: &Binaries, socket_dir: &Path, name: &str) -> Result<(), Error> {
    run(binaries, socket_dir, &format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""))).map(drop)
}

fn run(binaries: &Binaries, socket_dir: &Path, statement: &str) -> Result<String, Error> {
    let psql = binaries.program("psql");
    let mut command = clean(&psql);
    command.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
    command
        .args(["--set=ON_ERROR_STOP=1", "--command", statement, "--dbname"])
        .arg(url(socket_dir, "postgres"));
    let output = command.output().map_err(Error::io("run", &psql))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(Error::Statement { said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
