//! Waiting until the services answer as they should.

use std::time::{Duration, Instant};

use pipeline::{Health, Probe};

use crate::command;
use crate::request::Request;
use crate::variables::Variables;
use crate::{http, question};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between attempts at first; it doubles up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// Waits until every check is green. The time of each counts from now. The error says which was not, and what it said last.
pub(crate) async fn wait(checks: &[Health], request: &Request, variables: &Variables) -> Result<(), String> {
    let started = Instant::now();
    for check in checks {
        let mut pause = PAUSE;
        loop {
            let left = check.within.saturating_sub(started.elapsed());
            let Err(said) = probe(&check.probe, request, variables, left.min(ATTEMPT).max(PAUSE)).await
            else {
                break;
            };
            if started.elapsed() + pause > check.within {
                let within = humantime::format_duration(check.within);
                return Err(format!(
                    "{} was not healthy within {within}: {said}",
                    name(&check.probe, request)
                ));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }
    Ok(())
}

fn name(probe: &Probe, request: &Request) -> String {
    request.secrets.redact(&match probe {
        Probe::Http(address) => address.to_string(),
        Probe::Run(command) => command.run.first().cloned().unwrap_or_default(),
        Probe::Sql(question) => question.sql.clone(),
    })
}

async fn probe(
    probe: &Probe,
    request: &Request,
    variables: &Variables,
    within: Duration,
) -> Result<(), String> {
    match probe {
        Probe::Http(address) => match http::status(address, within).await? {
            200..300 => Ok(()),
            status => Err(format!("it answers {status}")),
        },
        Probe::Run(check) => {
            command::run(&check.run, &request.directory, variables, within, &request.secrets).await.map(drop)
        }
        Probe::Sql(question) => question::ask(question, request, within).await,
    }
}
