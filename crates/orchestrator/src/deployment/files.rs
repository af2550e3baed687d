//! Which files have succeeded here, byte for byte: what the environments after this one may deploy.

use std::collections::HashSet;
use std::path::Path;

use postgres::{Error, query};

use super::Deployment;
use crate::event::StageName;
use crate::failure::Failure;
use crate::release::File;
use crate::request::Request;

impl Deployment {
    /// Records files that have succeeded here, byte for byte.
    pub(crate) async fn succeeded<'f>(&mut self, files: impl Iterator<Item = &'f File>) -> Result<(), Error> {
        let (mut stages, mut paths, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            stages.push(file.stage.as_str());
            paths.push(file.path.display().to_string());
            hashes.push(file.sha256.clone());
        }
        if paths.is_empty() {
            return Ok(());
        }
        let text = format!(
            "INSERT INTO {0}.succeeded_files (stage, path, sha256, deployment) \
             SELECT s, p, h, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS f(s, p, h) \
             WHERE EXISTS (SELECT FROM {0}.deployments WHERE number = $4 AND status = 'running') ON CONFLICT DO NOTHING",
            self.ledger
        );
        self.write(async |session| {
            let files = query(&text).bind(stages.clone()).bind(paths.clone()).bind(hashes.clone());
            Ok(files.bind(self.number).execute(session.connection()).await.map(drop)?)
        })
        .await
    }

    /// Migrations that a person or another tool vouches for count as succeeded here.
    pub(crate) async fn have_had(
        &mut self,
        request: &Request,
        migrations: &[&schema::Migration],
    ) -> Result<(), Failure> {
        let paths: HashSet<&Path> =
            migrations.iter().map(|migration| migration.source.path.as_path()).collect();
        let stamped = |file: &&File| file.stage == StageName::Schema && paths.contains(file.path.as_path());
        let files = request.release.files.iter().filter(stamped);
        self.succeeded(files).await.map_err(Failure::session)
    }

    /// A migration is taken back: its file has not succeeded here any more.
    pub(crate) async fn undone(&mut self, migration: &str) -> Result<(), Error> {
        self.clerk.revive().await?;
        let text = format!(
            "DELETE FROM {0}.succeeded_files WHERE stage = 'schema' AND (path = {1} OR right(path, length({1}) + 1) = '/' || {1})",
            self.ledger,
            sql::literal(&format!("{migration}.sql"))
        );
        self.clerk.session().await.run(&text).await.map(drop)
    }
}
