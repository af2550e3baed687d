//! What has to be so after the services have started.

use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::http_address::HttpAddress;
use crate::limit as limits;
use crate::raw;
use crate::reading::Reading;
use crate::services::Command;
use crate::verification::Question;

/// A question that is asked until its answer is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// How long it may take to become so; never zero.
    pub within: Duration,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An address that answers 200 to 299.
    Http(HttpAddress),
    /// A program that ends with 0.
    Run(Command),
    /// A query.
    Sql(Question),
}

impl Reading<'_> {
    pub(crate) fn health(&mut self, raw: &raw::Health) -> Option<Health> {
        let within = self.duration(raw.within.as_ref(), &limits::HEALTHY_WITHIN);
        let probe = match (&raw.http, &raw.run, &raw.sql) {
            (Some(http), None, None) => self.http(http).map(Probe::Http),
            (None, Some(run), None) => {
                self.arguments(run).map(|run| Probe::Run(Command { run, timeout: within }))
            }
            (None, None, Some(sql)) => self.question(sql, raw.expect.as_ref()).map(Probe::Sql),
            (http, run, sql) => {
                let written = [http.as_ref(), run.as_ref().and_then(|words| words.first()), sql.as_ref()];
                let place = written.into_iter().flatten().max_by_key(|one| one.start);
                let place = place.map(At::span).or(raw.expect.as_ref().map(At::span));
                self.refuse(
                    code::BAD_VALUE,
                    place.or(raw.within.as_ref().map(At::span)),
                    "`health` asks exactly one question at a time",
                    "one of http, run and sql in each entry",
                );
                return None;
            }
        };
        if let (Some(expect), None) = (&raw.expect, &raw.sql) {
            let help = "http expects 200 to 299, run expects exit code 0";
            self.refuse(code::BAD_VALUE, expect.span(), "`expect` is for sql", help);
        }
        Some(Health { probe: probe?, within })
    }

    fn http(&mut self, written: &At<String>) -> Option<HttpAddress> {
        let text = self.resolve(written)?;
        if self.variables.is_none() && text.contains("${") {
            // Only its variables know.
            return Some(HttpAddress { host: text, port: 80, path: String::new() });
        }
        HttpAddress::parse(&text)
            .map_err(|(message, help)| self.refuse(code::BAD_VALUE, written.span(), message, help))
            .ok()
    }
}
