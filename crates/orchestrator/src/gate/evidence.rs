//! What an environment before this one has to show: which files have succeeded there, and since when. From its ledger, or
//! from the receipt that it has signed.

use std::collections::HashMap;

use gates::{Receipt, Timestamp};
use postgres::{Error, Row, Session, query};

use crate::gate::clock;
use crate::release::File;
use crate::request::{Request, Upstream};

/// Stage, path and hash of a file.
pub(crate) type Key = (String, String, String);

/// What has succeeded in an environment.
#[derive(Default)]
pub(crate) struct Evidence {
    /// Each file, with the end of the first deploy with it that ended well; `None` where none has.
    pub(crate) files: HashMap<Key, Option<Timestamp>>,
    /// The moment, by the clock that the others are by.
    pub(crate) now: Timestamp,
    /// Where it comes from, for people.
    pub(crate) source: String,
}

/// Why there is no evidence, with its code.
pub(crate) struct NoEvidence {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) evidence: Vec<String>,
    pub(crate) next: String,
}

impl Evidence {
    /// What an environment before this one shows.
    pub(crate) async fn of(
        request: &Request,
        upstream: &Upstream,
        now: Timestamp,
    ) -> Result<Self, NoEvidence> {
        match &request.gates.receipts {
            Some(receipts) => by_receipt(request, receipts, &upstream.name, now),
            None => by_ledger(request, upstream, now).await.map_err(|error| NoEvidence {
                code: "E402",
                message: format!(
                    "the ledger of {}, which comes before, cannot be read: {error}",
                    upstream.name
                ),
                evidence: Vec::new(),
                next: "see that its database can be reached from here; nothing was touched".into(),
            }),
        }
    }

    /// Since when a file counts there; `None` where it does not.
    pub(crate) fn since(&self, file: &File) -> Option<Timestamp> {
        self.files.get(&key(file)).copied().flatten()
    }

    /// Why a file does not count there.
    pub(crate) fn why_not(&self, file: &File) -> &'static str {
        let (stage, path, _) = key(file);
        if self.files.contains_key(&key(file)) {
            "is there, but no deploy with it has ended well"
        } else if self.files.keys().any(|known| known.0 == stage && known.1 == path) {
            "succeeded there with other bytes"
        } else {
            "has not succeeded there"
        }
    }
}

async fn by_ledger(request: &Request, upstream: &Upstream, now: Timestamp) -> Result<Evidence, Error> {
    let source = format!("the ledger of {}", upstream.name);
    let Some(target) = &upstream.target else { return Ok(Evidence { now, source, ..Evidence::default() }) };
    let mut session = target.connect_read_only("gate").await?;
    session.bounded().await?;
    let files = succeeded(&mut session, &request.ledger, &upstream.name).await?;
    let now = clock::now(&mut session).await?;
    session.close().await;
    Ok(Evidence { files, now, source })
}

/// What has succeeded in an environment, by the ledger of its database, which may know others too. A deploy that failed after
/// a stage, since the application did not come back for one, has not shown that its files are good: the next one that ends
/// well has.
pub(crate) async fn succeeded(
    session: &mut Session,
    ledger: &str,
    environment: &str,
) -> Result<HashMap<Key, Option<Timestamp>>, Error> {
    if !postgres::ledger::exists(session, ledger).await? {
        return Ok(HashMap::new());
    }
    // Each table is read once, whatever the number of deployments. An older ledger has no column `unproven`: then the name
    // means the one outside.
    let text = format!(
        "WITH good AS MATERIALIZED (SELECT g.* FROM (VALUES (false)) AS older (unproven), LATERAL ( \
             SELECT d.number, d.finished_at, d.stages <> '{{}}' AS has_stages FROM {0}.deployments d \
             WHERE d.environment = $1 AND d.status IN ('succeeded', 'warnings') AND NOT unproven) AS g), \
           ends AS (SELECT number, is_file, min(finished_at) OVER (ORDER BY number DESC) AS first_end FROM ( \
             SELECT number, finished_at, false AS is_file FROM good WHERE has_stages \
             UNION ALL SELECT DISTINCT deployment, NULL::timestamptz, true FROM {0}.succeeded_files) AS all_ends) \
         SELECT f.stage, f.path, f.sha256, ceil(extract(epoch FROM least(ends.first_end, own.finished_at)))::int8 \
         FROM {0}.succeeded_files f JOIN ends ON ends.is_file AND ends.number = f.deployment \
         LEFT JOIN good own ON own.number = f.deployment",
        sql::identifier(ledger)
    );
    let rows = query(&text).bind(environment).fetch_all(session.connection()).await?;
    let file = |row: &postgres::PgRow| {
        let since: Option<i64> = row.try_get(3)?;
        let key = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok((key, since.and_then(|seconds| Timestamp::from_second(seconds).ok())))
    };
    rows.iter().map(file).collect()
}

fn by_receipt(
    request: &Request,
    settings: &pipeline::ReceiptsSettings,
    upstream: &str,
    now: Timestamp,
) -> Result<Evidence, NoEvidence> {
    let mut evidence = Vec::new();
    let mut newest: Option<(Receipt, String)> = None;
    for path in &settings.from {
        let shown = path.display().to_string();
        let read = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"));
        let verified = read.and_then(|text| {
            Receipt::verified(&text, &settings.keys, &request.pipeline, settings.max_age, now)
                .map_err(|error| error.to_string())
        });
        match verified {
            Ok(receipt) if receipt.environment == upstream => {
                let is_newer = newest.as_ref().is_none_or(|(known, _)| receipt.written_at > known.written_at);
                if is_newer {
                    newest = Some((receipt, shown));
                }
            }
            Ok(receipt) => evidence.push(format!("{shown} is the receipt of {}", receipt.environment)),
            Err(why) => evidence.push(format!("{shown} {why}")),
        }
    }
    let Some((receipt, shown)) = newest else {
        return Err(NoEvidence {
            code: "E404",
            message: format!(
                "there is no valid receipt of {upstream}, and {} comes after it",
                request.environment
            ),
            evidence,
            next: format!(
                "bring the file that `pgdeploy deploy --env {upstream}` has written; it is never edited; nothing was touched"
            ),
        });
    };
    let files = receipt.files.iter().map(|file| {
        let key = (file.stage.clone(), file.path.clone(), file.sha256.clone());
        (key, Timestamp::from_second(file.succeeded_at).ok())
    });
    let source = format!("{shown}, deployment {} of {upstream}", receipt.deployment);
    Ok(Evidence { files: files.collect(), now, source })
}

/// A file as promotion knows it.
pub(crate) fn key(file: &File) -> Key {
    (file.stage.as_str().to_owned(), file.path.display().to_string(), file.sha256.clone())
}
