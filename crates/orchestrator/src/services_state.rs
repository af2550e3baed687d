//! What the ledger knows of the services.

/// How far the services are on their way down and up again: written before each act, and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServicesState {
    /// Nobody has touched them.
    Untouched,
    /// The stop was asked for.
    Stopping,
    /// The stop has succeeded.
    Stopped,
    /// No session of the application is left.
    Quiesced,
    /// The start was asked for.
    Starting,
    /// The start has succeeded.
    Started,
    /// Every health check is green.
    Healthy,
    /// A health check was not green in its time.
    Unhealthy,
}

const STATES: [ServicesState; 8] = [
    ServicesState::Untouched,
    ServicesState::Stopping,
    ServicesState::Stopped,
    ServicesState::Quiesced,
    ServicesState::Starting,
    ServicesState::Started,
    ServicesState::Healthy,
    ServicesState::Unhealthy,
];

/// Those between a stop and the decision to start again, as an SQL list: what is committed meanwhile the old application
/// has never seen.
pub(crate) const DOWN: &str = "('stopping', 'stopped', 'quiesced')";

impl ServicesState {
    /// As it is written in the ledger.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ServicesState::Untouched => "untouched",
            ServicesState::Stopping => "stopping",
            ServicesState::Stopped => "stopped",
            ServicesState::Quiesced => "quiesced",
            ServicesState::Starting => "starting",
            ServicesState::Started => "started",
            ServicesState::Healthy => "healthy",
            ServicesState::Unhealthy => "unhealthy",
        }
    }

    /// As an earlier deployment has left it; a word of a later version counts as untouched.
    pub(crate) fn found(text: &str) -> Self {
        STATES.into_iter().find(|state| state.as_str() == text).unwrap_or(ServicesState::Untouched)
    }

    /// Whether somebody has to start them.
    pub(crate) fn needs_a_start(self) -> bool {
        matches!(
            self,
            ServicesState::Stopping
                | ServicesState::Stopped
                | ServicesState::Quiesced
                | ServicesState::Starting
                | ServicesState::Unhealthy
        )
    }

    /// What the next deployment begins with: what is settled is nothing of its own.
    pub(crate) fn carried_over(self, asks_for_health: bool) -> Self {
        let is_unproven = asks_for_health && self == ServicesState::Started;
        if self.needs_a_start() || is_unproven { self } else { ServicesState::Untouched }
    }

    /// For people: where they are now.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            ServicesState::Untouched => "the services were not touched",
            ServicesState::Stopping => "the services: their stop was asked for and has not succeeded",
            ServicesState::Stopped | ServicesState::Quiesced => "the services stay stopped",
            ServicesState::Starting => "the services: their start was asked for and has not succeeded",
            ServicesState::Started => "the services were started",
            ServicesState::Healthy => "the services were started and are healthy",
            ServicesState::Unhealthy => "the services were started and are not healthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_again_by_its_word() {
        assert!(STATES.into_iter().all(|state| ServicesState::found(state.as_str()) == state));
    }

    #[test]
    fn what_is_not_settled_is_carried_over() {
        assert_eq!(ServicesState::Quiesced.carried_over(false), ServicesState::Quiesced);
        assert_eq!(ServicesState::Started.carried_over(true), ServicesState::Started);
        assert_eq!(ServicesState::Started.carried_over(false), ServicesState::Untouched);
        assert_eq!(ServicesState::Healthy.carried_over(true), ServicesState::Untouched);
    }
}
