//! The target's schema as text, by pg_dump, and back by psql.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;

/// How many lines of complaints are kept.
const COMPLAINTS: usize = 5;

/// A database's URL without its password, which goes through the environment: a command line is for all to see.
struct Address {
    url: String,
    password: Option<String>,
}

/// The schema of a database, without owners, grants and the ledger.
pub(crate) fn dump(pg_dump: &Path, url: &SecretString, ledger: &str) -> Result<Vec<u8>, Error> {
    let address = Address::of(url.expose_secret());
    let mut command = Command::new(pg_dump);
    command.args([
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        "--no-publications",
        "--no-subscriptions",
    ]);
    command.args(["--no-security-labels", "--no-password", "--lock-wait-timeout=10s"]);
    // A pattern in double quotes is the name itself.
    command
        .arg(format!("--exclude-schema={}", sql::identifier(ledger)))
        .arg(format!("--dbname={}", address.url));
    if let Some(password) = &address.password {
        command.env("PGPASSWORD", password);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Dump(format!("{} cannot be run: {error}", pg_dump.display())))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Dump(complaints(&output.stderr).join("; ")))
}

/// Runs a dump's text; what could not be restored is returned, line by line.
pub(crate) fn restore(psql: &Path, url: &str, text: &[u8]) -> Result<Vec<String>, Error> {
    let failed = |error: std::io::Error| Error::Dump(format!("{} cannot be run: {error}", psql.display()));
    let mut file = tempfile::tempfile().map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    std::io::Seek::rewind(&mut file).map_err(failed)?;
    let output = Command::new(psql)
        .args(["--no-psqlrc", "--quiet", "--no-password", "--dbname", url])
        .stdin(file)
        .stdout(Stdio::null())
        .output()
        .map_err(failed)?;
    Ok(complaints(&output.stderr))
}

fn complaints(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| line.contains("error:") || line.contains("ERROR:"))
        .map(str::to_owned)
        .collect();
    let more = lines.len().saturating_sub(COMPLAINTS);
    lines.truncate(COMPLAINTS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

impl Address {
    fn of(url: &str) -> Self {
        let (head, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut password = None;
        let mut address = head.to_owned();
        if let Some((scheme, rest)) = head.split_once("://") {
            let authority = rest.split('/').next().unwrap_or(rest);
            if let Some((user, host)) = authority.rsplit_once('@') {
                let (user, secret) =
                    user.split_once(':').map_or((user, None), |(user, secret)| (user, Some(secret)));
                password = secret.map(decoded);
                address = format!("{scheme}://{user}@{host}{}", &rest[authority.len()..]);
            }
        }
        let mut kept: Vec<&str> = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("password", secret)) => password = Some(decoded(secret)),
                _ => kept.push(parameter),
            }
        }
        if !kept.is_empty() {
            address = format!("{address}?{}", kept.join("&"));
        }
        Self { url: address, password }
    }
}

/// Percent-decoded, as in a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn a_password_leaves_the_url_wherever_it_stands() {
        let of = |url| {
            let address = Address::of(url);
            (address.url, address.password)
        };
        assert_eq!(
            of("postgresql://alice:c%40n:ary@db:5433/crm?sslmode=require"),
            ("postgresql://alice@db:5433/crm?sslmode=require".into(), Some("c@n:ary".into()))
        );
        assert_eq!(
            of("postgresql:///crm?host=/run/pg&password=x%25&user=bob"),
            ("postgresql:///crm?host=/run/pg&user=bob".into(), Some("x%".into()))
        );
        assert_eq!(of("postgresql://db/crm"), ("postgresql://db/crm".into(), None));
    }
}
