//! Failures around the stages: services, hooks, verification.

use super::{Failure, Verdict, counted};

impl Failure {
    pub(crate) fn service(action: &str, message: &str) -> Self {
        Self::new(Verdict::ServiceFailed, "E601", format!("services.{action} failed: {message}"))
            .next("mend the command or the service, then: pgdeploy deploy --env {env}")
    }

    pub(crate) fn unknown_roles(roles: &[String]) -> Self {
        let message = format!("services.quiesced names roles that do not exist: {}", roles.join(", "));
        Self::new(Verdict::Unusable, "E450", message)
            .next("name the roles that the application logs in as; of one that does not exist no session would be found")
    }

    pub(crate) fn not_quiesced(proof: &pipeline::Quiesced, left: Vec<String>) -> Self {
        let within = humantime::format_duration(proof.within);
        let roles = proof.roles.join(", ");
        let sessions = counted(left.len(), "session");
        let message = format!("{sessions} of {roles} still there {within} after the stop");
        Self { evidence: left, ..Self::new(Verdict::ServiceFailed, "E451", message) }
            .next("stop what they belong to, or say `idle: ignore` where a pool keeps them; then: pgdeploy deploy --env {env}")
    }

    pub(crate) fn unhealthy(message: &str) -> Self {
        Self::new(Verdict::ServiceFailed, "E452", message)
            .next("look at the service's own log; then: pgdeploy deploy --env {env}, which starts it again")
    }

    pub(crate) fn hook(hook: &str, message: &str) -> Self {
        Self::new(Verdict::ServiceFailed, "E453", format!("the hook {hook} failed: {message}"))
            .next("mend it, then: pgdeploy deploy --env {env}")
    }

    pub(crate) fn verification(failed: Vec<String>) -> Self {
        let message =
            format!("after the deploy not everything is as it has to be: {} of verify", failed.len());
        Self { evidence: failed, ..Self::new(Verdict::ServiceFailed, "E454", message) }
            .next("what was deployed stays; correct it with a new release, or the expectation; then: pgdeploy deploy --env {env}")
    }

    pub(crate) fn hook_in_doubt(hook: &str, deployment: i64) -> Self {
        let message = format!(
            "deployment {deployment} died while the hook {hook} ran: how it ended is unknown, and it must not run twice"
        );
        Self::new(Verdict::Refused, "E455", message).next(format!(
            "look, then say: pgdeploy deploy --settle-hook {hook}=done --env {{env}}, or {hook}=again"
        ))
    }

    pub(crate) fn no_such_hook(hook: &str) -> Self {
        Self::new(Verdict::Unusable, "E456", format!("there is no hook {hook} in this environment"))
            .next("write POINT/NAME=done or POINT/NAME=again, such as before_deploy/backup=done")
    }
}
