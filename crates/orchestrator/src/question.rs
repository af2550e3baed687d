//! A query whose value has to be as expected, asked in a session that cannot write.

use std::time::Duration;

use pipeline::Question;
use postgres::{Error, Row};

use crate::request::Request;

/// How much longer than the server we wait: it ends the statement itself.
const GRACE: Duration = Duration::from_secs(5);

/// Asks; the error says what was found instead, or why nothing was.
pub(crate) async fn ask(question: &Question, request: &Request, within: Duration) -> Result<(), String> {
    match tokio::time::timeout(within + GRACE, value(question, request, within)).await {
        Err(_) => Err(format!("no answer within {}", humantime::format_duration(within))),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(found)) if question.expect.is_met_by(found.as_deref()) => Ok(()),
        Ok(Ok(found)) => {
            let found = found.as_deref().unwrap_or("nothing");
            Err(format!("is {}, expected {}", request.secrets.redact(found), question.expect))
        }
    }
}

/// The first value of the first row as text; `None` for NULL and for no row.
async fn value(question: &Question, request: &Request, within: Duration) -> Result<Option<String>, Error> {
    let mut session = request.target.connect_read_only("verify").await?;
    session.run(&format!("SET statement_timeout = {}", within.as_millis().max(1))).await?;
    if let Some(path) = &request.schema.search_path {
        session.run(&format!("SET search_path = {path}")).await?;
    }
    // In parentheses nothing but one query is one; the line break ends a comment of its last line.
    let asked = question.sql.trim().trim_end_matches(';');
    let row =
        session.answer(&format!("SELECT q.v::pg_catalog.text FROM ({asked}\n) AS q(v) LIMIT 1")).await?;
    session.close().await;
    row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
}
