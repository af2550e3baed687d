//! Which databases of a fleet a deploy is about.

use std::collections::HashSet;

use fleet::Status;

use super::rollout::Rollout;
use crate::failure::Failure;

/// Which databases of a fleet a deploy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those that have failed or were stopped; of these, where names are given, only those.
    Failed(Vec<String>),
    /// Those with these names.
    Named(Vec<String>),
}

impl Rollout<'_, '_> {
    /// The names of those that this deploy is about.
    pub(super) async fn selected(&mut self, selection: &Selection) -> Result<HashSet<String>, Failure> {
        let all: HashSet<String> = self.databases.iter().map(|database| database.name.clone()).collect();
        let named = match selection {
            Selection::All => return Ok(all),
            Selection::Failed(names) | Selection::Named(names) => names,
        };
        if let Some(unknown) = named.iter().find(|name| !all.contains(*name)) {
            return Err(Failure::no_such_database(unknown, &self.request.environment));
        }
        let named: HashSet<String> = named.iter().cloned().collect();
        if matches!(selection, Selection::Named(_)) {
            return Ok(named);
        }
        let standing =
            self.book.standing(&mut *self.clerk.session().await).await.map_err(Failure::session)?;
        let is_to_be_retried =
            |status| matches!(status, Status::Failed | Status::Interrupted | Status::Running);
        let failed = standing.into_iter().filter(|one| is_to_be_retried(one.status)).map(|one| one.name);
        let failed: HashSet<String> = failed.filter(|name| all.contains(name)).collect();
        if let Some(name) = named.iter().find(|name| !failed.contains(*name)) {
            return Err(Failure::has_not_failed(name));
        }
        Ok(if named.is_empty() { failed } else { named })
    }
}
