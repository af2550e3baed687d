//! What has to be so after the deploy: asked once, all of it, whatever the first answers.

use std::time::Instant;

use pipeline::Verification;
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::question;
use crate::record::Recorder;
use crate::request::Request;
use crate::services::milliseconds;
use crate::variables::Variables;

/// Asks everything; the failure names all that is not so.
pub(crate) async fn run(
    request: &Request,
    deployment: i64,
    recorder: &Recorder<'_>,
    interrupt: &CancellationToken,
) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for verification in &request.verify {
        let name = verification.name().to_owned();
        let started = Instant::now();
        let answer = tokio::select! {
            biased;
            () = interrupt.cancelled() => return Err(Failure::interrupted("interrupted while the deploy was being verified")),
            answer = ask(verification, request, deployment) => answer,
        };
        match answer {
            Ok(()) => recorder.record(DeployEvent::Verified { name, duration_ms: milliseconds(started) }),
            Err(message) => {
                failed.push(format!("{name}: {message}"));
                recorder.record(DeployEvent::VerificationFailed { name, message });
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::verification(failed)) }
}

async fn ask(verification: &Verification, request: &Request, deployment: i64) -> Result<(), String> {
    match verification {
        Verification::Sql { question, timeout, .. } => question::ask(question, request, *timeout).await,
        Verification::Run { command, .. } => {
            let variables = Variables::new(request, deployment);
            let ran =
                command::run(&command.run, &request.directory, &variables, command.timeout, &request.secrets);
            ran.await.map(drop)
        }
    }
}
