//! What stands between a release and a database's history.

use sql::Problem;

use super::{Failure, Verdict, counted};

impl Failure {
    /// The history contradicts the files.
    pub(crate) fn integrity(findings: Vec<Problem>) -> Self {
        let message =
            format!("the files contradict the database's history: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E100", message) }
    }

    /// A database that has objects but no history of ours: which migrations it has had is for a person to say.
    pub(crate) fn unmanaged(state: &schema::State) -> Result<(), Self> {
        let mut next = "say up to which file it is: pgdeploy baseline --at VERSION --reason TEXT --env {env}; where what is there is not of this pipeline: pgdeploy baseline --none --reason TEXT --env {env}; or deploy to an empty database";
        let message = match state {
            schema::State::Fresh | schema::State::Managed => return Ok(()),
            schema::State::Unmanaged { objects: 1, example } => format!(
                "the database has a table, view or sequence ({example}) but no history: which migrations it has had is unknown"
            ),
            schema::State::Unmanaged { objects, example } => format!(
                "the database has {objects} tables, views or sequences ({example}) but no history: which migrations it has had is unknown"
            ),
            schema::State::Foreign { tool, table } => {
                next = "carry that history over: pgdeploy adopt --reason TEXT --env {env} (the files come from: pgdeploy init --from TOOL); or say up to which file it is: pgdeploy baseline --at VERSION --reason TEXT --env {env}";
                format!(
                    "{tool} keeps the history of this database in {table}: which of the files here it has had is unknown"
                )
            }
        };
        Err(Self::new(Verdict::Integrity, "E107", message).next(next))
    }

    /// The ledger is not what was written into it.
    pub fn tampered(findings: Vec<Problem>) -> Self {
        let message = format!("the ledger is not what was written: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E140", message) }.next(
            "compare with a backup, or with another environment's ledger, and find out who could write to it",
        )
    }

    pub(crate) fn baseline(message: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { evidence, ..Self::new(Verdict::Integrity, "E115", message) }
    }

    pub(crate) fn repair(message: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { evidence, ..Self::new(Verdict::Integrity, "E127", message) }
            .next("pgdeploy status --env {env} shows the history; nothing was touched")
    }

    /// What a throwaway server has shown to be wrong.
    pub fn rehearsal(code: &'static str, message: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::new(Verdict::Unusable, code, message) }
    }

    /// What warned where nothing can have been in the way.
    pub fn fell_short(evidence: Vec<String>) -> Self {
        let message = "on an empty database nothing is in the way, and still something fell short";
        Self { evidence, ..Self::new(Verdict::Unusable, "E133", message) }
            .next("correct the files that the lines above name")
    }

    pub(crate) fn no_way_back(migrations: &[String]) -> Self {
        let message = "not everything above that version can be taken back: no .down.sql stood beside the file when it was applied";
        Self { evidence: migrations.to_vec(), ..Self::new(Verdict::Integrity, "E129", message) }
            .next("go forward instead: pgdeploy new migration NAME, with what undoes it; nothing was touched")
    }

    pub(crate) fn data_loss(losses: Vec<Problem>) -> Self {
        let message = format!("the rollback takes data with it: {}", counted(losses.len(), "statement"));
        Self { problems: losses, ..Self::new(Verdict::Refused, "E128", message) }
            .next("save what is needed, then add --allow-data-loss; nothing was touched")
    }

    /// A rollback's own error, with what was taken back before it.
    pub(crate) fn rollback(error: schema::GateError, steps: usize, stopped: bool) -> Self {
        let done = error.applied.len();
        let mut failure = Self::gate(error, steps);
        failure.evidence.pop();
        failure.evidence.push(format!("{done} of {} taken back", counted(steps, "migration")));
        if stopped {
            failure.evidence.push("the services stay stopped: the rollback is half done".into());
        }
        failure.next(
            "correct what stands in the way, then the same rollback again, or: pgdeploy deploy --env {env}",
        )
    }

    /// Another tool's history leaves questions open, or cannot be read.
    pub fn adoption(findings: Vec<Problem>) -> Self {
        let message =
            format!("the history cannot be carried over yet: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E700", message) }
    }
}
