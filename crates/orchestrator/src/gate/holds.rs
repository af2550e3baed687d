//! Holds: rows of the ledger with which people stop deploys, a release or a backfill.

use std::time::Duration;

use gates::Hold;
use gates::hold::Scope;
use postgres::{Error, Row, Session, query};

use crate::backfills::{known, with_ledger};
use crate::failure::Failure;
use crate::foundation;
use crate::gate::approvals::moment;
use crate::gate::clock;
use crate::ledger::FOR_GATES;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// Stops something, for a reason, from now on. The hold's number.
pub async fn add_hold(
    request: &Request,
    scope: &Scope,
    reason: &str,
    lasts: Option<Duration>,
) -> Result<i64, Failure> {
    if let Scope::Backfill(id) = scope {
        known(request, std::slice::from_ref(id))?;
    }
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let mut session = reach::for_writing(request, &recorder).await?;
    foundation::is_there(request, &mut session).await?;
    with_ledger(request, &mut session, &recorder, &FOR_GATES).await?;
    let (scope, subject) = scope.named();
    let text = format!(
        "INSERT INTO {}.holds (environment, scope, subject, reason, placed_by, placed_source, host, until) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8::float8 * interval '1 second') RETURNING number",
        sql::identifier(&request.ledger)
    );
    let inserted = query(&text)
        .bind(&request.environment)
        .bind(scope)
        .bind(subject)
        .bind(reason)
        .bind(&request.actor.name)
        .bind(&request.actor.source)
        .bind(&request.actor.host)
        .bind(lasts.map(|lasts| lasts.as_secs_f64()))
        .fetch_one(session.connection())
        .await;
    let number = inserted.and_then(|row| row.try_get(0)).map_err(Error::from).map_err(Failure::session);
    session.close().await;
    number
}

/// All holds of an environment, the newest first, each with whether it is on.
pub async fn holds(request: &Request) -> Result<Vec<(Hold, bool)>, Failure> {
    let mut session = reach::for_reading(request).await?;
    let found = async {
        let now = clock::now(&mut session).await?;
        Ok((read(&mut session, request).await?, now))
    };
    let (found, now) = found.await.map_err(Failure::session)?;
    session.close().await;
    Ok(found.into_iter().rev().map(|hold| (hold.is_on(now), hold)).map(|(on, hold)| (hold, on)).collect())
}

/// Lifts holds that are on.
pub async fn lift_hold(request: &Request, numbers: &[i64], reason: Option<&str>) -> Result<(), Failure> {
    // All of them or none.
    let text = "UPDATE {ledger}.holds SET lifted_at = clock_timestamp(), lifted_by = $3, lifted_source = $4, lift_reason = $5 \
         WHERE environment = $2 AND number = ANY ($1) AND lifted_at IS NULL \
           AND NOT EXISTS (SELECT FROM pg_catalog.unnest($1) AS n LEFT JOIN {ledger}.holds h ON h.number = n AND h.environment = $2 \
             AND h.lifted_at IS NULL WHERE h.number IS NULL)";
    if taken_back(request, text, numbers, reason).await? == 0 {
        let on: Vec<i64> = holds(request)
            .await?
            .into_iter()
            .filter(|(_, is_on)| *is_on)
            .map(|(hold, _)| hold.number)
            .collect();
        let missing = numbers.iter().filter(|number| !on.contains(number));
        let missing = missing.map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("{} has no hold {missing} that is on; none was lifted", request.environment);
        return Err(Failure::not_there(message, "pgdeploy hold list --env {env}"));
    }
    Ok(())
}

/// Ends rows that people have written, with who does it, where that was learned ($3, $4) and why ($5). How many.
pub(super) async fn taken_back(
    request: &Request,
    text: &str,
    numbers: &[i64],
    reason: Option<&str>,
) -> Result<u64, Failure> {
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let mut session = reach::for_writing(request, &recorder).await?;
    with_ledger(request, &mut session, &recorder, &FOR_GATES).await?;
    let done = query(&text.replace("{ledger}", &sql::identifier(&request.ledger)))
        .bind(numbers)
        .bind(&request.environment)
        .bind(&request.actor.name)
        .bind(&request.actor.source)
        .bind(reason)
        .execute(session.connection())
        .await;
    session.close().await;
    Ok(done.map_err(Error::from).map_err(Failure::session)?.rows_affected())
}

/// The holds that are on, in a line each.
pub(crate) async fn that_are_on(session: &mut Session, request: &Request) -> Result<Vec<String>, Error> {
    let all = read(session, request).await?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let now = clock::now(session).await?;
    Ok(all.iter().filter(|hold| hold.is_on(now)).map(Hold::shown).collect())
}

/// The holds of an environment, oldest first.
pub(super) async fn read(session: &mut Session, request: &Request) -> Result<Vec<Hold>, Error> {
    if !is_there(session, &request.ledger, "holds").await? {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT number, scope, subject, reason, placed_by, placed_at, until, lifted_by FROM {}.holds \
         WHERE environment = $1 ORDER BY number",
        sql::identifier(&request.ledger)
    );
    let rows = query(&text).bind(&request.environment).fetch_all(session.connection()).await?;
    rows.iter()
        .map(|row| {
            let subject: Option<String> = row.try_get(2)?;
            let subject = subject.unwrap_or_default();
            Ok(Hold {
                number: row.try_get(0)?,
                scope: match row.try_get::<&str, _>(1)? {
                    "release" => Scope::Release(subject),
                    "backfill" => Scope::Backfill(subject),
                    _ => Scope::Environment,
                },
                reason: row.try_get(3)?,
                by: row.try_get(4)?,
                at: moment(row.try_get(5)?),
                until: row.try_get::<Option<_>, _>(6)?.map(moment),
                lifted_by: row.try_get(7)?,
            })
        })
        .collect()
}

/// Whether the ledger has a table: an older one, or none at all, has not, and looking brings nothing up to date.
pub(super) async fn is_there(session: &mut Session, ledger: &str, table: &str) -> Result<bool, Error> {
    postgres::ledger::table_exists(session, ledger, table).await
}
