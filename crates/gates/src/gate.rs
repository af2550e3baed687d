//! The gates by name.

use std::fmt;

/// One condition of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Every pending file has succeeded upstream, byte for byte.
    Promotion,
    /// It has been there for long enough.
    Soak,
    /// Enough people have agreed to the plan.
    Approvals,
    /// The clock allows it.
    Freeze,
    /// Nobody has stopped it.
    Hold,
}

impl Gate {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Gate; 5] = [Gate::Promotion, Gate::Soak, Gate::Approvals, Gate::Freeze, Gate::Hold];

    /// As it is written in pipeline.yaml, typed, and recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Gate::Promotion => "promotion",
            Gate::Soak => "soak",
            Gate::Approvals => "approvals",
            Gate::Freeze => "freeze",
            Gate::Hold => "hold",
        }
    }

    /// The gate of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.as_str() == name)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
