//! What a gate says when it stays shut.

use jiff::Timestamp;

use crate::gate::Gate;

/// Why a gate refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which gate.
    pub gate: Gate,
    /// What is missing: one lowercase sentence.
    pub message: String,
    /// What was looked at, a line each.
    pub evidence: Vec<String>,
    /// The first moment at which it can pass without anybody doing anything; `None` where somebody has to.
    pub earliest: Option<Timestamp>,
    /// What to type or do; `{env}` stands for the environment.
    pub next: String,
}
