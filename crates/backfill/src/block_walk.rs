//! The walk over heap blocks: some walkers share the pass's ranges; what stops one of them decides how it goes on.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::try_join_all;
use postgres::{Error, Session};
use tokio_util::sync::CancellationToken;

use crate::blocks::Blocks;
use crate::chunk::Sizing;
use crate::claim::Claim;
use crate::failure::Ended;
use crate::quarantine;
use crate::range::{self, Standing};
use crate::texts::Texts;
use crate::walker::{Tally, Walked, Walker};
use crate::worker::{Worker, taken_over};

/// Between looks at ranges that others have.
const LOOK: Duration = Duration::from_millis(200);
/// How a walk over blocks ended.
#[derive(Debug)]
pub(crate) enum Walk {
    /// All ranges are done.
    Done,
    /// The pass has to begin anew, in another way.
    Again,
    /// It goes no further.
    Ended(Ended),
}

impl Worker<'_> {
    /// Walks the pass to its end.
    pub(crate) async fn walk_blocks(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Walk, Error> {
        let ledger = self.stage.ledger;
        let Some((blocks, oid, density)) = self.blocks.clone() else {
            // Begun over blocks, to be gone on with along the key.
            range::restart(session, ledger, claim, self.oid, true).await?;
            return Ok(Walk::Again);
        };
        loop {
            let along_key = match self.walkers(session, claim, (&blocks, texts), (oid, density)).await? {
                Walked::Ended(ended) => return Ok(Walk::Ended(ended)),
                Walked::Through => match range::settle(session, ledger, claim).await? {
                    Standing::Done => return Ok(Walk::Done),
                    Standing::Lost => return Ok(Walk::Ended(taken_over())),
                    Standing::Under => {
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                },
                Walked::Rewritten => false,
                Walked::AlongKey => true,
            };
            range::restart(session, ledger, claim, oid, along_key).await?;
            return Ok(Walk::Again);
        }
    }

    async fn walkers(
        &mut self,
        session: &mut Session,
        claim: &Claim,
        (blocks, texts): (&Blocks, &Texts),
        (oid, density): (i64, Option<f64>),
    ) -> Result<Walked, Error> {
        let (stage, settings, deadline) = (self.stage, self.settings, self.deadline);
        let mut others = Vec::new();
        for _ in 1..settings.workers.max(1) {
            others.push(stage.lock.session("backfill").await?);
        }
        let halt = CancellationToken::new();
        let quarantined = quarantine::limit(settings, self.estimated_rows);
        let tally = Mutex::new(Tally { progress: &mut self.progress, rows: &mut self.rows });
        let walks = std::iter::once(session).chain(&mut others).map(|session| {
            let sizing = Sizing::new(settings, blocks.stripes, density);
            let (halt, tally) = (&halt, &tally);
            let mut walker = Walker {
                stage,
                settings,
                claim,
                blocks,
                texts,
                oid,
                quarantined,
                sizing,
                deadline,
                halt,
                tally,
            };
            async move {
                let walked = walker.run(session).await;
                if !matches!(walked, Ok(Walked::Through)) {
                    halt.cancel();
                }
                walked
            }
        });
        let walked = try_join_all(walks.collect::<Vec<_>>()).await;
        for other in others {
            other.close().await;
        }
        Ok(walked?.into_iter().max_by_key(Walked::weight).unwrap_or(Walked::Through))
    }
}
