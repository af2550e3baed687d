//! Stopping the application before its schema changes, and starting it again.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::command;
use crate::deployment::{Deployment, ServicesState};
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::record::Recorder;
use crate::request::Request;

/// Stops the services, if the schema will change. The intent is written before the act.
pub(crate) async fn stop(
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
    interrupt: &CancellationToken,
) -> Result<(), Failure> {
    let Some(stop) = request.services.as_ref().and_then(|services| services.stop.as_ref()) else {
        return Ok(());
    };
    deployment.services(ServicesState::Stopping).await.map_err(Failure::session)?;
    tokio::select! {
        biased;
        // The command is ended with all it has started; what it did is undone by starting the services.
        () = interrupt.cancelled() => return Err(Failure::interrupted("interrupted while the services were being stopped")),
        stopped = act("stop", stop, request, deployment.number, recorder) => stopped?,
    }
    deployment.services(ServicesState::Stopped).await.map_err(Failure::session)
}

/// Starts the services.
pub(crate) async fn start(
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
) -> Result<(), Failure> {
    let Some(start) = request.services.as_ref().and_then(|services| services.start.as_ref()) else {
        return Ok(());
    };
    act("start", start, request, deployment.number, recorder).await?;
    deployment.services(ServicesState::Started).await.map_err(Failure::session)
}

async fn act(
    action: &'static str,
    command: &pipeline::Command,
    request: &Request,
    deployment: i64,
    recorder: &Recorder<'_>,
) -> Result<(), Failure> {
    let started = Instant::now();
    let variables = [
        ("PGDEPLOY_PIPELINE", request.pipeline.clone()),
        ("PGDEPLOY_ENVIRONMENT", request.environment.clone()),
        ("PGDEPLOY_DEPLOYMENT", deployment.to_string()),
        ("PGDEPLOY_RELEASE", request.release.hash.clone()),
    ];
    if let Err(message) =
        command::run(&command.run, &request.directory, &variables, command.timeout, &request.secrets).await
    {
        recorder.record(DeployEvent::ServicesFailed { action, message: message.clone() });
        return Err(Failure::service(action, &message));
    }
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    recorder.record(match action {
        "stop" => DeployEvent::ServicesStopped { duration_ms },
        _ => DeployEvent::ServicesStarted { duration_ms },
    });
    Ok(())
}
