//! How much a finding weighs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a finding weighs, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; needs no action.
    Hint,
    /// A risk that the reader should weigh; never stops a deploy.
    Warning,
    /// Refuses the file (exit 6) unless it is accepted with a reason.
    Error,
}

impl Severity {
    /// `error`, `warning` or `hint`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
