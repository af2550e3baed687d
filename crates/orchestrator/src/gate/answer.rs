//! What the gates say, and how that becomes the end of a deploy.

use gates::{Gate, Refusal};
use serde::Serialize;

use crate::event::DeployEvent;
use crate::failure::{Failure, Verdict};
use crate::request::Override;

/// What one gate says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) gate: Gate,
    /// The evidence, or why it stays shut, with the message's code.
    pub(crate) result: Result<String, (&'static str, Refusal)>,
}

/// What one gate says, for people and programs.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct GateAnswer {
    /// `promotion`, `soak`, `approvals`, `freeze` or `hold`.
    pub gate: String,
    /// Whether a deploy would pass.
    pub passes: bool,
    /// The evidence, or what is missing.
    pub message: String,
    /// The message's code, where it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was looked at, where it would not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The first moment at which it can pass by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest: Option<String>,
}

impl Answer {
    pub(crate) fn told(&self) -> GateAnswer {
        let gate = self.gate.as_str().to_owned();
        match &self.result {
            Ok(evidence) => GateAnswer {
                gate,
                passes: true,
                message: evidence.clone(),
                code: None,
                evidence: Vec::new(),
                earliest: None,
            },
            Err((code, refusal)) => GateAnswer {
                gate,
                passes: false,
                message: refusal.message.clone(),
                code: Some((*code).to_owned()),
                evidence: refusal.evidence.clone(),
                earliest: refusal.earliest.map(gates::shown),
            },
        }
    }

    pub(crate) fn event(&self, overridden: Option<&Override>) -> DeployEvent {
        let told = self.told();
        DeployEvent::Gate {
            gate: told.gate,
            answer: match (&self.result, overridden) {
                (Ok(_), _) => "passed",
                (Err(_), Some(_)) => "overridden",
                (Err(_), None) => "refused",
            },
            message: told.message,
            evidence: told.evidence,
            earliest: told.earliest,
            reason: overridden.map(|one| one.reason.clone()),
        }
    }
}

impl Failure {
    /// The gates that stay shut: the first is the reason, the others are told with it.
    pub(crate) fn shut(refused: &[(&'static str, Refusal)], allowed: &[Gate]) -> Option<Self> {
        let ((code, first), others) = refused.split_first()?;
        let mut failure = Self::new(Verdict::Refused, code, told(first)).next(next(first, allowed));
        failure.evidence.clone_from(&first.evidence);
        failure.evidence.extend(earliest(first));
        for (code, other) in others {
            failure.evidence.push(format!("also {code} {}", told(other)));
            failure.evidence.extend(other.evidence.iter().map(|line| format!("  {line}")));
            failure.evidence.extend(earliest(other).map(|line| format!("  {line}")));
        }
        Some(failure)
    }

    pub(crate) fn override_not_allowed(gate: Gate, allowed: &[Gate], environment: &str) -> Self {
        let all = allowed.iter().map(|gate| gate.as_str()).collect::<Vec<_>>().join(", ");
        let which = if all.is_empty() { "none".to_owned() } else { all };
        let message = format!("{environment} allows no override of {gate}; it allows {which}");
        Self::new(Verdict::Refused, "E409", message)
            .next("wait for the gate, or change `overrides` in pipeline.yaml, where somebody reviews it")
    }
}

fn told(refusal: &Refusal) -> String {
    match refusal.gate {
        Gate::Promotion | Gate::Hold => refusal.message.clone(),
        gate => format!("{gate}: {}", refusal.message),
    }
}

fn earliest(refusal: &Refusal) -> Option<String> {
    Some(format!("earliest: {}", gates::shown(refusal.earliest?)))
}

fn next(refusal: &Refusal, allowed: &[Gate]) -> String {
    match allowed.contains(&refusal.gate) {
        true => format!(
            "{}; in an emergency: pgdeploy deploy --env {{env}} --override {} --reason TEXT",
            refusal.next, refusal.gate
        ),
        false => refusal.next.clone(),
    }
}
