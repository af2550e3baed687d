//! Waiting until a release is in: for applications that start behind a deploy. Needs SELECT on the ledger, nothing else.

use std::time::{Duration, Instant};

use postgres::{Class, Error, LockKey, Row, Session, Target, query};
use tokio_util::sync::CancellationToken;

use crate::event::StageName;
use crate::failure::Failure;
use crate::release::Release;

/// Between two looks, at first and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Debug)]
pub struct Awaited<'a> {
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Schema of the ledger.
    pub ledger: &'a str,
    /// The database.
    pub target: &'a Target,
    /// The release.
    pub release: Wanted<'a>,
    /// Whether the migrations are enough.
    pub schema_is_enough: bool,
    /// How long it may take.
    pub timeout: Duration,
}

/// Which release.
#[derive(Debug)]
pub enum Wanted<'a> {
    /// The one in the files here.
    Files(&'a Release),
    /// The one whose hash, or whose commit, begins like this.
    Named(&'a str),
}

/// Where the release stands.
enum Standing {
    In,
    NotYet(String),
    Failed(Failure),
}

/// Waits until the release is in. `told` hears why it is not yet, whenever that changes.
///
/// # Errors
/// The deploy of it has failed, with its text; or the time is over.
pub async fn wait_for_release(
    awaited: &Awaited<'_>,
    told: impl Fn(&str),
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let (started, mut pause) = (Instant::now(), PAUSE);
    let (mut session, mut said) = (None, String::new());
    loop {
        let looked = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::stopped_waiting()),
            looked = look(awaited, &mut session) => looked,
        };
        let (reason, at_the_end) = match looked {
            Ok(Standing::In) => return Ok(()),
            Ok(Standing::Failed(failure)) => return Err(failure),
            Ok(Standing::NotYet(reason)) => {
                let late = Failure::release_is_late(&reason, awaited.timeout);
                (reason, late)
            }
            // The server may be starting, and rights on the ledger may be granted by the release itself.
            Err(error) if matches!(error.class(), Class::Unavailable | Class::Permission) => {
                session = None;
                (error.to_string(), Failure::unreadable(error, awaited.ledger))
            }
            Err(error) => return Err(Failure::session(error)),
        };
        if started.elapsed() + pause > awaited.timeout {
            return Err(at_the_end);
        }
        if reason != said {
            told(&reason);
            said = reason;
        }
        tokio::select! {
            () = stop.cancelled() => return Err(Failure::stopped_waiting()),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST),
        }
    }
}

async fn look(awaited: &Awaited<'_>, kept: &mut Option<Session>) -> Result<Standing, Error> {
    let session = match kept {
        Some(session) => session,
        None => kept.insert(awaited.target.connect_read_only("wait").await?),
    };
    // Not to_regclass(): without USAGE on the schema that is an error, and the schema may be there before the grant.
    let text = "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = 'deployments'";
    let ledger = query(text).bind(awaited.ledger).fetch_optional(session.connection()).await?;
    if ledger.is_none() {
        return Ok(Standing::NotYet("nothing has been deployed to this database yet".into()));
    }
    standing(awaited, session).await
}

async fn standing(awaited: &Awaited<'_>, session: &mut Session) -> Result<Standing, Error> {
    let ledger = sql::identifier(awaited.ledger);
    let named = match &awaited.release {
        Wanted::Files(release) => release.hash.as_str(),
        Wanted::Named(named) => named,
    };
    // Only a deploy runs the schema stage: a repair or a baseline of the same files is not one. Behind a rollback of
    // migrations what a deploy had brought may be gone again.
    let text = format!(
        "WITH own AS (SELECT d.number, d.status, d.stages ->> 'schema' AS schema, d.actor, d.started_at::timestamptz(0)::text AS at \
             FROM {ledger}.deployments d \
             WHERE d.pipeline = $1 AND (pg_catalog.starts_with(d.release, $2) OR pg_catalog.starts_with(d.git_commit, $2)) AND d.stages ? 'schema'), \
           back AS (SELECT coalesce(max(u.deployment), 0) AS number FROM {ledger}.migrations_undone u WHERE u.how = 'rolled back') \
         SELECT EXISTS (SELECT FROM own, back WHERE own.number > back.number AND own.status IN ('succeeded', 'warnings')), \
           EXISTS (SELECT FROM own, back WHERE own.number > back.number AND own.schema IN ('done', 'unchanged')), \
           last.number, last.status, last.actor, last.at \
         FROM (SELECT) one LEFT JOIN (SELECT * FROM own ORDER BY number DESC LIMIT 1) last ON true"
    );
    let row = query(&text).bind(awaited.pipeline).bind(named).fetch_one(session.connection()).await?;
    let (deployed, migrated): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    if deployed || (migrated && awaited.schema_is_enough) {
        return Ok(Standing::In);
    }
    let number: Option<i64> = row.try_get(2)?;
    let status: Option<String> = row.try_get(3)?;
    if let (Some(number), Some("failed")) = (number, status.as_deref()) {
        return Ok(Standing::Failed(failed(&ledger, number, session).await?));
    }
    let files_are_in = match &awaited.release {
        Wanted::Files(release) => every_migration(&ledger, release, session).await?,
        Wanted::Named(_) => false,
    };
    if files_are_in && (awaited.schema_is_enough || !is_locked(awaited, session).await?) {
        return Ok(Standing::In);
    }
    Ok(Standing::NotYet(match (number, status.as_deref()) {
        (Some(number), Some("running")) => {
            let (actor, at): (String, String) = (row.try_get(4)?, row.try_get(5)?);
            format!("deployment {number} of this release, by {actor} since {at}, has not ended yet")
        }
        (Some(number), _) => {
            format!("deployment {number} of this release was interrupted and has not been resumed yet")
        }
        _ => format!("release {} has not been deployed yet", &named[..named.len().min(12)]),
    }))
}

/// Whether each migration of the release has succeeded here, byte for byte: with this release, or with another one.
async fn every_migration(ledger: &str, release: &Release, session: &mut Session) -> Result<bool, Error> {
    let migrations = release.files.iter().filter(|file| file.stage == StageName::Schema);
    let (paths, hashes): (Vec<String>, Vec<String>) =
        migrations.map(|file| (file.path.display().to_string(), file.sha256.clone())).unzip();
    if paths.is_empty() {
        return Ok(false);
    }
    let text = format!(
        "SELECT NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS f(path, sha256) WHERE NOT EXISTS \
           (SELECT FROM {ledger}.succeeded_files s WHERE s.stage = 'schema' AND s.path = f.path AND s.sha256 = f.sha256))"
    );
    Ok(query(&text).bind(paths).bind(hashes).fetch_one(session.connection()).await?.try_get(0)?)
}

async fn is_locked(awaited: &Awaited<'_>, session: &mut Session) -> Result<bool, Error> {
    let key = LockKey::of(awaited.ledger, awaited.pipeline);
    Ok(session.one(&format!("SELECT {}", key.is_held())).await?.try_get(0)?)
}

/// What the failed deploy has said at its end.
async fn failed(ledger: &str, number: i64, session: &mut Session) -> Result<Failure, Error> {
    let text = format!(
        "SELECT body ->> 'code', body ->> 'message', \
           coalesce((SELECT pg_catalog.array_agg(pg_catalog.concat_ws(' ', p ->> 'code', pg_catalog.concat_ws(':', p ->> 'path', p ->> 'line', p ->> 'column'), p ->> 'message')) \
             FROM pg_catalog.jsonb_array_elements(body -> 'problems') p), '{{}}') \
         FROM {ledger}.journal WHERE deployment = $1 AND event = 'deploy.finished' ORDER BY seq DESC LIMIT 1"
    );
    let found = query(&text).bind(number).fetch_optional(session.connection()).await?;
    let Some(row) = found else { return Ok(Failure::release_failed(number, None, Vec::new())) };
    let (code, message): (Option<String>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let words = code.zip(message).map(|(code, message)| format!("{code} {message}"));
    Ok(Failure::release_failed(number, words, row.try_get(2)?))
}
