//! The account of a fleet in the control database: written before and after each database's deploy, under the run lock.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::standing::{Standing, Status};

/// Whose account it is. `ledger` is the quoted schema.
#[derive(Debug, Clone)]
pub struct Book {
    ledger: String,
    environment: String,
    release: String,
}

/// A database with its wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is called.
    pub name: String,
    /// Its wave's name.
    pub wave: String,
}

/// How a database ended.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How.
    pub status: Status,
    /// The deployment's number in its own ledger.
    pub deployment: Option<i64>,
    /// The code of what ended it.
    pub code: Option<&'a str>,
    /// What ended it.
    pub message: Option<&'a str>,
}

impl Book {
    /// The account of an environment, for one release.
    pub fn new(ledger: &str, environment: &str, release: &str) -> Self {
        Self {
            ledger: sql::identifier(ledger),
            environment: environment.to_owned(),
            release: release.to_owned(),
        }
    }

    /// Writes down who belongs to the fleet now. What was at work died with its process; what another release has left
    /// is pending again.
    pub async fn enlist(
        &self,
        session: &mut Session,
        members: &[Member],
        deployment: i64,
    ) -> Result<(), Error> {
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let waves: Vec<&str> = members.iter().map(|member| member.wave.as_str()).collect();
        let gone =
            format!("DELETE FROM {}.fleet_targets WHERE environment = $1 AND name <> ALL ($2)", self.ledger);
        let gone = query(&gone).bind(self.environment.clone()).bind(owned(&names));
        gone.execute(session.connection()).await?;
        let text = format!(
            "INSERT INTO {}.fleet_targets AS t (environment, name, place, wave, release, status, deployment) \
             SELECT $1, m.name, m.place, m.wave, $2, 'pending', $3 \
               FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS m(name, wave, place) \
             ON CONFLICT (environment, name) DO UPDATE SET place = excluded.place, wave = excluded.wave, \
               status = CASE WHEN t.status = 'running' THEN 'interrupted' WHEN t.release = excluded.release THEN t.status ELSE 'pending' END, \
               code = CASE WHEN t.release = excluded.release THEN t.code END, \
               message = CASE WHEN t.release = excluded.release THEN t.message END, \
               release = excluded.release",
            self.ledger
        );
        let enlisted = query(&text)
            .bind(self.environment.clone())
            .bind(self.release.clone())
            .bind(deployment)
            .bind(owned(&names))
            .bind(owned(&waves));
        enlisted.execute(session.connection()).await?;
        Ok(())
    }

    /// These have the release already.
    pub async fn up_to_date(
        &self,
        session: &mut Session,
        names: &[&str],
        deployment: i64,
    ) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.fleet_targets SET status = 'done', code = NULL, message = NULL, deployment = $3, \
               finished_at = clock_timestamp() \
             WHERE environment = $1 AND name = ANY ($2) AND status <> 'done'",
            self.ledger
        );
        let told = query(&text).bind(self.environment.clone()).bind(owned(names)).bind(deployment);
        told.execute(session.connection()).await?;
        Ok(())
    }

    /// This one's deploy is about to begin.
    pub async fn begins(&self, session: &mut Session, name: &str, deployment: i64) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.fleet_targets SET status = 'running', deployment = $3, of_target = NULL, code = NULL, message = NULL, \
               started_at = clock_timestamp(), finished_at = NULL \
             WHERE environment = $1 AND name = $2",
            self.ledger
        );
        let begun = query(&text).bind(self.environment.clone()).bind(name.to_owned()).bind(deployment);
        begun.execute(session.connection()).await?;
        Ok(())
    }

    /// This one's deploy has ended.
    pub async fn ended(&self, session: &mut Session, ended: &Ended<'_>) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.fleet_targets SET status = $3, of_target = $4, code = $5, message = $6, finished_at = clock_timestamp() \
             WHERE environment = $1 AND name = $2",
            self.ledger
        );
        let ended = query(&text)
            .bind(self.environment.clone())
            .bind(ended.name.to_owned())
            .bind(ended.status.as_str())
            .bind(ended.deployment)
            .bind(ended.code.map(str::to_owned))
            .bind(ended.message.map(str::to_owned));
        ended.execute(session.connection()).await?;
        Ok(())
    }

    /// Something of a wave has just been deployed: it soaks from now on, and is to be verified.
    pub async fn deployed(&self, session: &mut Session, wave: &str) -> Result<(), Error> {
        let text = format!(
            "INSERT INTO {}.fleet_waves (environment, release, wave) VALUES ($1, $2, $3) \
             ON CONFLICT (environment, release, wave) DO UPDATE SET deployed_at = clock_timestamp(), verified_at = NULL",
            self.ledger
        );
        self.about(&text, wave).execute(session.connection()).await?;
        Ok(())
    }

    /// A wave has been verified.
    pub async fn verified(&self, session: &mut Session, wave: &str) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.fleet_waves SET verified_at = clock_timestamp() WHERE environment = $1 AND release = $2 AND wave = $3",
            self.ledger
        );
        self.about(&text, wave).execute(session.connection()).await?;
        Ok(())
    }

    /// For how long a wave has soaked, and whether it has been verified; `None` where this release changed nothing in it.
    pub async fn soaked(&self, session: &mut Session, wave: &str) -> Result<Option<(Duration, bool)>, Error> {
        if !is_there(session, &self.ledger).await? {
            return Ok(None);
        }
        let text = format!(
            "SELECT greatest(extract(epoch FROM clock_timestamp() - deployed_at), 0)::float8, verified_at IS NOT NULL \
             FROM {}.fleet_waves WHERE environment = $1 AND release = $2 AND wave = $3",
            self.ledger
        );
        let row = self.about(&text, wave).fetch_optional(session.connection()).await?;
        let read = |row: postgres::PgRow| Ok((Duration::from_secs_f64(row.try_get(0)?), row.try_get(1)?));
        row.map(read).transpose()
    }

    /// Everybody, in the order of the fleet.
    pub async fn standing(&self, session: &mut Session) -> Result<Vec<Standing>, Error> {
        if !is_there(session, &self.ledger).await? {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT name, wave, status, release, of_target, code, message, finished_at FROM {}.fleet_targets \
             WHERE environment = $1 ORDER BY place",
            self.ledger
        );
        let rows = query(&text).bind(self.environment.clone()).fetch_all(session.connection()).await?;
        rows.iter()
            .map(|row| {
                Ok(Standing {
                    name: row.try_get(0)?,
                    wave: row.try_get(1)?,
                    status: Status::named(row.try_get(2)?),
                    release: row.try_get(3)?,
                    deployment: row.try_get(4)?,
                    code: row.try_get(5)?,
                    message: row.try_get(6)?,
                    finished_at: row.try_get(7)?,
                })
            })
            .collect()
    }

    fn about(&self, text: &str, wave: &str) -> postgres::Query {
        query(text).bind(self.environment.clone()).bind(self.release.clone()).bind(wave.to_owned())
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Whether an account is kept at all: looking brings nothing up to date.
async fn is_there(session: &mut Session, ledger: &str) -> Result<bool, Error> {
    let both = query("SELECT pg_catalog.to_regclass($1) IS NOT NULL").bind(format!("{ledger}.fleet_waves"));
    Ok(both.fetch_one(session.connection()).await?.try_get(0)?)
}
