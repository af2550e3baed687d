//! The proof that the ledger is what was written into it: every hash of the journal computed anew, and the history held
//! against the journal.

use std::path::Path;

use postgres::{Error, Row, Session, query};
use serde::Serialize;
use sql::Problem;

use crate::failure::Failure;
use crate::ledger::{CHAINED_SINCE, journal_hash};
use crate::reach;
use crate::request::Request;

/// What is proven of a ledger.
#[derive(Debug, Default, Serialize)]
pub struct Proof {
    /// Events in the chain.
    pub events: i64,
    /// Events from before there was a chain: nothing can be said of them.
    pub before_the_chain: i64,
    /// The newest hash, as hex digits: what to note elsewhere.
    pub head: Option<String>,
    /// What is not as it was written, with its place.
    #[serde(skip)]
    pub findings: Vec<Problem>,
}

/// Every event whose hash is not that of its words, or whose predecessor is not the one it was written after.
const CHAIN: &str = concat!(
    "SELECT c.deployment, c.seq, c.event, CASE WHEN c.hash <> c.proper THEN 'E141' ELSE 'E142' END \
       FROM (SELECT j.deployment, j.seq, j.event, j.previous, j.hash, ",
    journal_hash!("j.previous", "j"),
    " AS proper, coalesce(pg_catalog.lag(j.hash) OVER (ORDER BY j.deployment, j.seq), ''::bytea) AS before \
         FROM {schema}.journal j WHERE j.hash IS NOT NULL) AS c \
       WHERE c.hash IS DISTINCT FROM c.proper OR c.previous IS DISTINCT FROM c.before \
     UNION ALL \
     SELECT j.deployment, j.seq, j.event, 'E143' FROM {schema}.journal j WHERE j.hash IS NULL \
       AND EXISTS (SELECT FROM {schema}.journal b WHERE b.hash IS NOT NULL AND (b.deployment, b.seq) < (j.deployment, j.seq)) \
     ORDER BY 1, 2"
);

/// The history and the deployments against what the journal says of them: code, place, and words. An event of which the
/// journal says itself that it is missing is none; neither is one of a deployment that was killed.
const HISTORY: &str = "WITH chained AS (SELECT * FROM {schema}.journal WHERE hash IS NOT NULL), \
       told AS (SELECT j.deployment, j.seq, j.event, j.body ->> 'migration' AS file, j.body ->> 'checksum' AS checksum, \
           (pg_catalog.regexp_match(j.body ->> 'migration', '[0-9]+'))[1]::numeric AS version \
         FROM chained j WHERE j.event = 'migration.applied' OR (j.event = 'history.repaired' AND j.body ->> 'checksum' IS NOT NULL)), \
       latest AS (SELECT DISTINCT ON (version) * FROM told ORDER BY version, deployment DESC, seq DESC), \
       excused AS (SELECT number FROM {schema}.deployments WHERE status IN ('running', 'interrupted') OR journal_missing > 0) \
     SELECT 'E144', 'migrations, version ' || m.version, 'has the hash ' || pg_catalog.left(m.checksum, 12) || ', and the journal says ' || \
         pg_catalog.left(l.checksum, 12) || ' (deployment ' || l.deployment || ', event ' || l.seq || ')' \
       FROM {schema}.migrations m JOIN latest l ON l.version = m.version \
       WHERE m.checksum <> l.checksum AND m.kind IN ('applied', 'repaired') AND m.status = 'applied' \
     UNION ALL \
     SELECT 'E145', 'migrations, version ' || m.version, 'is in the history, and the journal of its deployment ' || m.deployment || ' does not say so' \
       FROM {schema}.migrations m \
       WHERE m.kind IN ('applied', 'repaired') AND m.status = 'applied' AND m.deployment >= (SELECT min(deployment) FROM chained) \
         AND m.deployment NOT IN (SELECT number FROM excused) \
         AND NOT EXISTS (SELECT FROM told t WHERE t.version = m.version AND (t.deployment = m.deployment OR m.kind = 'repaired')) \
     UNION ALL \
     SELECT 'E146', 'journal, deployment ' || t.deployment || ', event ' || t.seq, 'says that ' || t.file || ' was applied, and it is not in the history' \
       FROM told t WHERE t.event = 'migration.applied' \
         AND NOT EXISTS (SELECT FROM {schema}.migrations m WHERE m.version = t.version AND m.deployment = t.deployment) \
         AND NOT EXISTS (SELECT FROM {schema}.migrations_undone u WHERE u.version = t.version AND u.applied_by = t.deployment) \
     UNION ALL \
     SELECT 'E147', 'deployments, number ' || d.number, 'has not the end of the journal that it had: events of it are missing' \
       FROM {schema}.deployments d WHERE d.journal_head IS NOT NULL AND d.journal_head IS DISTINCT FROM \
         (SELECT j.hash FROM {schema}.journal j WHERE j.deployment = d.number ORDER BY j.seq DESC LIMIT 1) \
     UNION ALL \
     SELECT 'E148', 'deployments, number ' || d.number, 'says ' || d.status || ' with exit ' || d.exit_code || ', and its journal says ' || \
         (j.body ->> 'status') || ' with exit ' || (j.body ->> 'exit') \
       FROM {schema}.deployments d JOIN chained j ON j.deployment = d.number AND j.event = 'deploy.finished' \
       WHERE d.exit_code IS NOT NULL AND (d.status, d.exit_code::text) IS DISTINCT FROM (j.body ->> 'status', j.body ->> 'exit') \
     ORDER BY 1, 2";

/// Proves the ledger, or says what is not as it was written. `expect` is a hash that was noted elsewhere.
pub async fn verify(request: &Request, expect: Option<&str>) -> Result<Proof, Failure> {
    let mut session = reach::for_reading(request).await?;
    let proof = proof(&mut session, &request.ledger, expect).await.map_err(Failure::session)?;
    session.close().await;
    Ok(proof)
}

async fn proof(session: &mut Session, ledger: &str, expect: Option<&str>) -> Result<Proof, Error> {
    let mut proof = Proof::default();
    let quoted = sql::identifier(ledger);
    if is_chained(session, ledger).await? {
        let counted = format!(
            "SELECT count(hash), count(*) FILTER (WHERE hash IS NULL), \
               (SELECT pg_catalog.encode(hash, 'hex') FROM {quoted}.journal WHERE hash IS NOT NULL ORDER BY deployment DESC, seq DESC LIMIT 1) \
             FROM {quoted}.journal"
        );
        let row = session.one(&counted).await?;
        (proof.events, proof.before_the_chain, proof.head) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        for row in session.all(&CHAIN.replace("{schema}", &quoted)).await? {
            let (deployment, seq): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let (event, code): (String, String) = (row.try_get(2)?, row.try_get(3)?);
            let (code, words) = match code.as_str() {
                "E141" => ("E141", "was edited: its hash is not that of its words"),
                "E142" => (
                    "E142",
                    "does not follow the event it was written after: that one was removed or changed",
                ),
                _ => ("E143", "has no hash, though events before it have one"),
            };
            let place = format!("{ledger}.journal, deployment {deployment}, event {seq} ({event})");
            proof.findings.push(Problem::with_file(code, Path::new(&place), words));
        }
        for row in session.all(&HISTORY.replace("{schema}", &quoted)).await? {
            let (code, place, words): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let code = ["E144", "E145", "E146", "E147", "E148"].into_iter().find(|known| *known == code);
            let place = format!("{ledger}.{place}");
            proof.findings.push(Problem::with_file(code.unwrap_or("E140"), Path::new(&place), words));
        }
    }
    if let Some(noted) = expect
        && !is_there(session, &quoted, noted, proof.events > 0).await?
    {
        let words = format!("holds no event with the hash {noted} that was noted elsewhere");
        proof.findings.push(Problem::with_file("E149", Path::new(&format!("{ledger}.journal")), words));
    }
    Ok(proof)
}

/// Whether there is a ledger that a version with the chain has brought up to date.
async fn is_chained(session: &mut Session, ledger: &str) -> Result<bool, Error> {
    if !postgres::ledger::exists(session, ledger).await? {
        return Ok(false);
    }
    let text = format!(
        "SELECT 1 FROM {}.ledger WHERE component = 'orchestrator' AND version >= {CHAINED_SINCE}",
        sql::identifier(ledger)
    );
    Ok(!session.all(&text).await?.is_empty())
}

async fn is_there(session: &mut Session, quoted: &str, noted: &str, has_events: bool) -> Result<bool, Error> {
    if !has_events {
        return Ok(false);
    }
    let text =
        format!("SELECT 1 FROM {quoted}.journal WHERE pg_catalog.encode(hash, 'hex') = pg_catalog.lower($1)");
    Ok(query(&text).bind(noted.trim().to_owned()).fetch_optional(session.connection()).await?.is_some())
}
