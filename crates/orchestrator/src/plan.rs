//! What a deploy would do: the same reading for `plan`, `status` and `deploy`.

use std::path::Path;

use postgres::{Error, Row, Session};
use sha2::{Digest, Sha256};

use crate::contract;
use crate::failure::Failure;
use crate::release::Release;
use crate::request::Request;

/// The three stages' plans for one database at one moment.
pub struct Plan {
    /// Stage 1.
    pub schema: schema::Plan,
    /// The backfills that migrations wait for.
    pub(crate) backfills: schema::Backfills,
    /// Stage 2.
    pub index: index::Plan,
    /// Stage 3.
    pub backfill: backfill::Plan,
    /// SHA-256 over the release and what of it is pending here.
    pub hash: String,
    items: Vec<String>,
}

impl Plan {
    /// Reads the database and decides. Reads only.
    pub(crate) async fn read(session: &mut Session, request: &Request) -> Result<Self, Error> {
        let release = &request.release;
        let ledger = &request.ledger;
        let backfills = contract::backfills(session, request).await?;
        let files = schema::Files {
            migrations: &release.migrations,
            fixtures: release.fixtures.as_ref(),
            snapshot: release.snapshot.as_ref(),
        };
        let schema = schema::plan(session, &files, ledger, &request.schema, &backfills).await?;
        // What else is in the database that keeps account of a fleet is none of the release's business.
        let state =
            schema.state.map(|found| request.fleet.as_ref().map_or(found, |_| schema::State::Managed));
        let schema = schema::Plan { state, ..schema };
        let schema = schema::Plan { state: vouched(session, ledger, schema.state).await?, ..schema };
        let index = index::plan(session, &release.indexes, &request.index, ledger).await?;
        let index = contract::without_waiting(session, request, index).await?;
        let backfill = backfill::plan(session, &release.backfills, ledger).await?;
        let items = items(&schema, &index, &backfill);
        let hash = hash(&release.hash, &schema, &index, &items);
        Ok(Self { schema, backfills, index, backfill, hash, items })
    }

    /// Whether there is nothing to do in any stage.
    pub fn is_empty(&self) -> bool {
        self.schema.is_empty()
            && self.index.pending().next().is_none()
            && self.backfill.pending().next().is_none()
    }

    /// Whether the schema changes before the stages that follow it, so that services have to be down.
    pub(crate) fn changes_schema(&self) -> bool {
        self.schema.snapshot.is_some() || self.schema.pending_in(schema::Phase::Pre).next().is_some()
    }

    /// Whether migrations run, before the other stages or after them.
    pub(crate) fn applies_migrations(&self) -> bool {
        self.schema.snapshot.is_some() || !self.schema.pending.is_empty()
    }

    /// What would be done, a line each: `schema 0001_a`.
    pub(crate) fn items(&self) -> &[String] {
        &self.items
    }

    /// Whether a file of the release is among what would be done.
    pub(crate) fn names_file(&self, release: &Release, path: &Path) -> bool {
        let mut migrations = self.schema.pending.iter().map(|migration| migration.source.path.as_path());
        let mut indexes = self.index.pending().filter_map(|item| release.path_of_index(&item.name));
        let mut backfills = self.backfill.pending().filter_map(|item| release.path_of_backfill(&item.id));
        migrations.any(|one| one == path)
            || indexes.any(|one| one == path)
            || backfills.any(|one| one == path)
    }

    /// The first six digits of the hash: what people are shown.
    pub fn short_hash(&self) -> &str {
        &self.hash[..6]
    }

    /// What forbids the deploy before anything is touched, worst first: a history that contradicts the files, then files
    /// that cannot be run.
    pub(crate) fn refuse(&self) -> Result<(), Failure> {
        // An empty release has nothing to run on the wrong database.
        if let Some(state) = self.schema.state.as_ref().filter(|_| !self.schema.pending.is_empty()) {
            Failure::unmanaged(state)?;
        }
        if !self.schema.findings.is_empty() {
            return Err(Failure::integrity(self.schema.findings.clone()));
        }
        let mut problems = schema::check(&self.schema);
        let nothing_comes = self.schema.pending.is_empty() && self.schema.snapshot.is_none();
        for item in self.backfill.items() {
            // With a pending migration, what a backfill misses may still come.
            let missing = item.waiting_for.as_ref().filter(|_| nothing_comes);
            problems.extend(item.refused.as_ref().or(missing).cloned());
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::files(problems)) }
    }

    /// Rows that the pending backfills may touch, where all of them have an estimate.
    pub fn backfill_rows(&self) -> Option<u64> {
        self.backfill.pending().map(|item| item.estimated_rows).sum()
    }
}

/// A database of which somebody has said that its objects are not of this pipeline is managed from then on.
async fn vouched(
    session: &mut Session,
    ledger: &str,
    state: Option<schema::State>,
) -> Result<Option<schema::State>, Error> {
    let is_open = matches!(state, Some(schema::State::Unmanaged { .. } | schema::State::Foreign { .. }));
    if !is_open || !postgres::ledger::exists(session, ledger).await? {
        return Ok(state);
    }
    // An older ledger does not have the column, and a plan may not bring it up to date.
    let text = format!(
        "SELECT EXISTS (SELECT FROM {}.deployments d WHERE status = 'succeeded' AND (pg_catalog.to_jsonb(d) ->> 'vouched')::boolean)",
        sql::identifier(ledger)
    );
    let is_vouched: bool = session.one(&text).await?.try_get(0)?;
    Ok(if is_vouched { Some(schema::State::Managed) } else { state })
}

fn items(schema: &schema::Plan, index: &index::Plan, backfill: &backfill::Plan) -> Vec<String> {
    let migrations = schema.pending.iter().map(|migration| format!("schema {}", migration.id()));
    let indexes = index.pending().map(|item| format!("index {}", item.name));
    let backfills = backfill.pending().map(|item| format!("backfill {}", item.id));
    migrations.chain(indexes).chain(backfills).collect()
}

fn hash(release: &str, schema: &schema::Plan, index: &index::Plan, items: &[String]) -> String {
    let mut hash = Sha256::new();
    hash.update(release);
    items.iter().for_each(|item| hash.update(format!("\n{item}")));
    // How it is done is part of what is agreed to: a build is no exchange.
    index.pending().for_each(|item| hash.update(format!("\n{} {:?}", item.name, item.action)));
    if let Some(snapshot) = &schema.snapshot {
        hash.update(format!("\nsnapshot of {}", snapshot.covered.len()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
