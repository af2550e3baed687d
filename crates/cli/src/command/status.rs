//! `pgdeploy status`: where an environment stands.

use std::process::ExitCode;

use orchestrator::{Failure, Proof, Verdict};

use crate::arguments::{Format, Global, Status};
use crate::command::fleet;
use crate::context::{Context, Prepare};
use crate::exit;
use crate::output::say;
use crate::render::words::counted;
use crate::render::{diagnostic, json, overview};
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Status) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.look.environment.name.as_deref())?;
    if context.environment.fleet.is_some() && context.member.is_none() {
        return fleet::status(&context, arguments).await;
    }
    let prepared = context.prepare(Prepare { only_looks: true, ..Prepare::default() }).await?;
    let looked = orchestrator::status(&prepared.request).await;
    let proof = match (&looked, arguments.verify) {
        (Ok(_), true) => orchestrator::verify(&prepared.request, arguments.expect.as_deref()).await.map(Some),
        _ => Ok(None),
    };
    prepared.finish().await;
    let (status, findings) = looked.map_err(|failure| context.tell(&failure))?;
    let mut proof = proof.map_err(|failure| context.tell(&failure))?;
    let tampered = proof.as_mut().map(|proof| std::mem::take(&mut proof.findings)).unwrap_or_default();
    let failure = (!tampered.is_empty()).then(|| Failure::tampered(tampered));
    match context.format {
        Format::Text => {
            say(overview::of_status(&status, context.style).trim_end());
            if !findings.is_empty() {
                say(format_args!("\n{}", diagnostic::all(&findings, context.style)));
            }
            if let Some(proof) = proof.filter(|_| failure.is_none()) {
                say(proven(&proof));
            }
            if let Some(failure) = &failure {
                return Err(context.tell(failure));
            }
        }
        _ => {
            let mut result = serde_json::to_value(&status).unwrap_or_default();
            if let Some(proof) = proof {
                result["proof"] = serde_json::to_value(&proof).unwrap_or_default();
            }
            if let Some(failure) = &failure {
                result["failure"] = json::of_failure(failure, &context.environment.name);
            }
            say(json::pretty(&result));
        }
    }
    Ok(match () {
        () if !findings.is_empty() || failure.is_some() => exit::of_verdict(Verdict::Integrity),
        () if arguments.look.detailed_exitcode && !status.up_to_date => ExitCode::from(exit::DETAILED),
        () => ExitCode::SUCCESS,
    })
}

/// What was proven, with the hash to note.
fn proven(proof: &Proof) -> String {
    let count = |number: i64| counted(usize::try_from(number).unwrap_or(0), "event", "events");
    let before = match proof.before_the_chain {
        0 => String::new(),
        number => format!("; {} from before the chain", count(number)),
    };
    let head = proof.head.as_ref().map(|head| format!("; head {head}")).unwrap_or_default();
    format!("journal         {} proven{before}{head}", count(proof.events))
}
