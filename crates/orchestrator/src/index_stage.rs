//! Stage 2, and what of it comes after stage 3.

use std::collections::BTreeSet;

use postgres::Session;

use crate::contract;
use crate::deployment::Deployment;
use crate::event::{Event, StageName, StageResult};
use crate::failure::Failure;
use crate::gate::Frozen;
use crate::stages::{Stages, warning_stage};

impl Stages<'_> {
    /// What it cannot build is a warning. Planned anew, since the schema stage may have made its tables.
    pub(crate) async fn index(&mut self, row: &mut Deployment, session: &mut Session) -> Result<(), Failure> {
        let plan = self.plan_indexes(session).await?;
        if let Some(frozen) = self.frozen_stage(StageName::Index).cloned()
            && plan.pending().next().is_some()
        {
            return self.leave_out_indexes(row, &plan, &frozen).await;
        }
        self.indexes(row, &plan).await
    }

    /// The indexes that waited for backfills which are complete by now, and what was to be dropped after them.
    pub(crate) async fn deferred_indexes(
        &mut self,
        row: &mut Deployment,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let waited = |item: &&index::ItemOutcome| item.outcome == index::Settled::Deferred;
        if !self.summary.indexes.iter().any(|item| waited(&item)) {
            return Ok(());
        }
        let plan = self.plan_indexes(session).await?;
        let still = plan.pending().filter(|item| item.action == index::Action::Defer);
        let still: BTreeSet<String> = still.map(|item| item.name.clone()).collect();
        let names: BTreeSet<String> =
            self.summary.indexes.iter().filter(waited).map(|item| item.name.clone()).collect();
        if names.is_subset(&still) {
            return Ok(());
        }
        let kept = self.summary.indexes.iter().filter(|item| item.outcome == index::Settled::Skipped);
        let names = kept.map(|item| item.name.clone()).chain(names).collect();
        self.indexes(row, &plan.only(&names)).await
    }

    /// What is pending stays so, and its files do not go on to the next environment.
    async fn leave_out_indexes(
        &mut self,
        row: &mut Deployment,
        plan: &index::Plan,
        frozen: &Frozen,
    ) -> Result<(), Failure> {
        let started = self.begin(StageName::Index, true, row).await?;
        let left_out = plan.pending().map(|item| index::ItemOutcome {
            name: item.name.clone(),
            table: item.table.clone(),
            declared_at: item.declared_at.clone(),
            outcome: index::Settled::Skipped,
            duration: std::time::Duration::ZERO,
            size_bytes: None,
            attempts: 0,
            reason: Some(frozen.why.clone()),
            next: None,
            required: false,
            problem: None,
        });
        self.summary.indexes.extend(left_out);
        self.warn(vec![frozen.warning()]);
        self.finish(StageName::Index, StageResult::Warnings, started, row).await
    }

    async fn plan_indexes(&self, session: &mut Session) -> Result<index::Plan, Failure> {
        let request = self.request;
        let plan = index::plan(session, &request.release.indexes, &request.index, &request.ledger).await;
        let plan = plan.map_err(Failure::session)?;
        contract::without_waiting(session, request, plan).await.map_err(Failure::session)
    }

    async fn indexes(&mut self, row: &mut Deployment, plan: &index::Plan) -> Result<(), Failure> {
        let unchanged = plan.pending().next().is_none();
        let started = self.begin(StageName::Index, !unchanged, row).await?;
        let events = |event| self.recorder.record(Event::Index(event));
        let outcome = index::run(&self.stage(&events), plan, &self.request.index).await;
        let ended = warning_stage(outcome.interrupted, unchanged, &outcome.warnings);
        let missed: Vec<String> =
            outcome.items.iter().filter(|item| item.is_missed()).map(|item| item.name.clone()).collect();
        let after_backfills = !self.summary.backfills.is_empty();
        for item in outcome.items {
            let same = |other: &&mut index::ItemOutcome| {
                other.name == item.name && other.declared_at == item.declared_at
            };
            match self.summary.indexes.iter_mut().find(same) {
                Some(earlier) => *earlier = item,
                None => self.summary.indexes.push(item),
            }
        }
        self.warn(outcome.warnings);
        self.finish(StageName::Index, ended, started, row).await?;
        self.interrupted(ended, "interrupted in the index stage")?;
        // `required: true` in a file's header turns the warning into a gate.
        if missed.is_empty() { Ok(()) } else { Err(Failure::required_indexes(&missed, after_backfills)) }
    }
}
