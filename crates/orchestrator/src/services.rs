//! Stopping the application before its schema changes, and starting it again.

use std::time::Instant;

use pipeline::{AfterFailedGate, Command, Services};
use postgres::Session;
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::deployment::Deployment;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::health;
use crate::quiesced;
use crate::record::Recorder;
use crate::request::Request;
use crate::services_state::ServicesState;
use crate::variables::Variables;

/// Refuses, before anything is touched, a proof that would prove nothing.
pub(crate) async fn ask(services: Option<&Services>, session: &mut Session) -> Result<(), Failure> {
    let Some(proof) = services.and_then(|services| services.quiesced.as_ref()) else { return Ok(()) };
    match quiesced::unknown_roles(session, proof).await.map_err(Failure::session)? {
        unknown if unknown.is_empty() => Ok(()),
        unknown => Err(Failure::unknown_roles(&unknown)),
    }
}

/// Stops the services and proves that their sessions are gone. Every intent is written before the act.
pub(crate) async fn stop(
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
    interrupt: &CancellationToken,
) -> Result<(), Failure> {
    let Some(services) = &request.services else { return Ok(()) };
    deployment.services(ServicesState::Stopping).await.map_err(Failure::session)?;
    let variables = Variables::new(request, deployment.number);
    if let Some(stop) = &services.stop {
        tokio::select! {
            biased;
            // The command is ended with all it has started; what it did is undone by starting the services.
            () = interrupt.cancelled() => return Err(Failure::interrupted("interrupted while the services were being stopped")),
            stopped = act("stop", stop, request, &variables, recorder) => stopped?,
        }
    }
    deployment.services(ServicesState::Stopped).await.map_err(Failure::session)?;
    if services.quiesced.is_some() {
        tokio::select! {
            biased;
            () = interrupt.cancelled() => return Err(Failure::interrupted("interrupted while the last sessions of the application were ending")),
            proven = prove(services, request, recorder) => proven?,
        }
        deployment.services(ServicesState::Quiesced).await.map_err(Failure::session)?;
    }
    Ok(())
}

/// Whether services that were stopped are started where the gate has passed, or has not.
pub(crate) async fn may_start(request: &Request, deployment: &mut Deployment, passed: bool) -> bool {
    let rule = request.services.as_ref().map(|services| services.after_failed_gate);
    passed
        || match rule.unwrap_or(AfterFailedGate::StartIfUnchanged) {
            AfterFailedGate::Start => true,
            AfterFailedGate::KeepStopped => false,
            // What cannot be asked may have changed.
            AfterFailedGate::StartIfUnchanged => {
                deployment.is_unchanged_since_the_stop().await.unwrap_or(false)
            }
        }
}

/// Starts the services where they are down, and waits until they are healthy, unless somebody is in a hurry: the next
/// deploy looks after them then.
pub(crate) async fn start(
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
    interrupt: &CancellationToken,
) -> Result<(), Failure> {
    let Some(services) = &request.services else { return Ok(()) };
    let variables = Variables::new(request, deployment.number);
    if deployment.services.needs_a_start() {
        deployment.services(ServicesState::Starting).await.map_err(Failure::session)?;
        if let Some(start) = &services.start {
            act("start", start, request, &variables, recorder).await?;
        }
        deployment.services(ServicesState::Started).await.map_err(Failure::session)?;
    }
    if services.health.is_empty() || interrupt.is_cancelled() {
        return Ok(());
    }
    let started = Instant::now();
    let healthy = tokio::select! {
        biased;
        () = interrupt.cancelled() => return Err(Failure::interrupted("interrupted while the services were becoming healthy")),
        healthy = health::wait(&services.health, request, &variables) => healthy,
    };
    match healthy {
        Ok(()) => {
            recorder.record(DeployEvent::ServicesHealthy { duration_ms: milliseconds(started) });
            deployment.services(ServicesState::Healthy).await.map_err(Failure::session)
        }
        Err(message) => {
            recorder.record(DeployEvent::ServicesFailed { action: "health", message: message.clone() });
            deployment.services(ServicesState::Unhealthy).await.map_err(Failure::session)?;
            Err(Failure::unhealthy(&message))
        }
    }
}

async fn prove(services: &Services, request: &Request, recorder: &Recorder<'_>) -> Result<(), Failure> {
    let Some(proof) = &services.quiesced else { return Ok(()) };
    let started = Instant::now();
    let mut session = request.target.connect("quiesced").await.map_err(Failure::session)?;
    let remaining = quiesced::wait(&mut session, proof).await.map_err(Failure::session)?;
    session.close().await;
    if remaining.is_empty() {
        let roles = proof.roles.clone();
        recorder.record(DeployEvent::ServicesQuiesced { roles, duration_ms: milliseconds(started) });
        return Ok(());
    }
    let left: Vec<String> = remaining.iter().map(ToString::to_string).collect();
    recorder.record(DeployEvent::ServicesFailed { action: "quiesced", message: left.join("; ") });
    Err(Failure::not_quiesced(proof, left))
}

async fn act(
    action: &'static str,
    what: &Command,
    request: &Request,
    variables: &Variables,
    recorder: &Recorder<'_>,
) -> Result<(), Failure> {
    let started = Instant::now();
    let ran = command::run(&what.run, &request.directory, variables, what.timeout, &request.secrets).await;
    if let Err(message) = ran {
        recorder.record(DeployEvent::ServicesFailed { action, message: message.clone() });
        return Err(Failure::service(action, &message));
    }
    let duration_ms = milliseconds(started);
    recorder.record(match action {
        "stop" => DeployEvent::ServicesStopped { duration_ms },
        _ => DeployEvent::ServicesStarted { duration_ms },
    });
    Ok(())
}

pub(crate) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
