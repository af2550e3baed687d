//! The walk over a unit: some walkers share the pass's ranges; what stops one of them decides how it goes on.

use std::sync::Mutex;

use futures_util::stream::{FuturesUnordered, StreamExt};
use postgres::{Error, Session};
use tokio_util::sync::CancellationToken;

use crate::claim::Pass;
use crate::failure::Ended;
use crate::names::Over;
use crate::pace::Pace;
use crate::part::Part;
use crate::quarantine;
use crate::range;
use crate::sizing::Sizing;
use crate::strides::Strides;
use crate::walked::{Tally, Walked};
use crate::walker::Walker;
use crate::worker::Worker;

/// How a walk ended.
#[derive(Debug)]
pub(crate) enum Walk {
    /// All that was to be had is done, by us at least.
    Through,
    /// The pass begins anew, in another way.
    Again,
    /// It goes no further.
    Ended(Ended),
}

impl Worker<'_> {
    /// Walks what is free of a pass.
    pub(crate) async fn walk(
        &mut self,
        session: &mut Session,
        part: &Part,
        pass: &Pass,
    ) -> Result<Walk, Error> {
        let ledger = self.stage.ledger;
        let strides = match pass.over {
            Over::Keys => Some(&part.keys),
            Over::Blocks => part.blocks.as_ref(),
        };
        let Some(strides) = strides else {
            // Begun over blocks, to be gone on with along the key.
            range::restart(session, ledger, pass, (part.relation.oid, Over::Keys)).await?;
            return Ok(Walk::Again);
        };
        let over = match self.walkers(part, pass, strides).await? {
            Walked::Ended(ended) => return Ok(Walk::Ended(ended)),
            Walked::Through | Walked::Spare => {
                range::settle(session, ledger, pass).await?;
                return Ok(Walk::Through);
            }
            Walked::Rewritten => Over::Blocks,
            Walked::AlongKey => Over::Keys,
        };
        range::restart(session, ledger, pass, (part.relation.oid, over)).await?;
        Ok(Walk::Again)
    }

    /// As many walkers as are wanted, which may change while they are at it.
    async fn walkers(&mut self, part: &Part, pass: &Pass, strides: &Strides) -> Result<Walked, Error> {
        let Some(live) = self.live.clone() else { return Ok(Walked::Through) };
        let (stage, deadline, backfill, patience) = (self.stage, self.deadline, self.backfill, self.patience);
        let halt = CancellationToken::new();
        let quarantined = quarantine::limit(&live.now().settings, self.estimated_rows);
        let sessions = &mut self.sessions;
        let tally = Mutex::new(Tally {
            progress: &mut self.progress,
            rows: &mut self.rows,
            skipped: &mut self.skipped,
        });
        let walker = |number: u32, idle: Option<Session>| {
            let (halt, tally, live, settings) = (&halt, &tally, &live, live.now().settings);
            async move {
                let mut session = match idle {
                    Some(session) => session,
                    None => stage.worker_session(&settings).await.inspect_err(|_| halt.cancel())?,
                };
                let sizing = Sizing::new(&settings, strides.stripes, strides.over, part.relation.density());
                let mut walker = Walker {
                    stage,
                    live,
                    backfill,
                    unit: part.unit.id,
                    pass,
                    strides,
                    texts: &part.texts,
                    oid: part.relation.oid,
                    quarantined,
                    sizing,
                    deadline,
                    patience,
                    number,
                    halt,
                    tally,
                    pace: Pace::new(),
                    halvings: live.now().pressure.halvings,
                };
                live.at_work(session.pid(), true);
                let walked = walker.run(&mut session).await;
                live.at_work(session.pid(), false);
                if !matches!(walked, Ok(Walked::Through | Walked::Spare)) {
                    halt.cancel();
                }
                walked.map(|walked| (number, walked, session))
            }
        };
        let (mut walks, mut at_work, mut through) = (FuturesUnordered::new(), Vec::new(), false);
        let (mut changes, mut worst, mut error) = (live.changes(), Walked::Through, None);
        loop {
            let wanted = live.now().settings.workers.max(1);
            if !halt.is_cancelled() && !through {
                for number in (0..wanted).filter(|number| !at_work.contains(number)).collect::<Vec<_>>() {
                    at_work.push(number);
                    walks.push(walker(number, sessions.pop()));
                }
            }
            let ended = tokio::select! {
                ended = walks.next() => ended,
                _ = changes.changed() => continue,
            };
            match ended {
                None => break,
                Some(Ok((number, walked, session))) => {
                    at_work.retain(|one| *one != number);
                    through |= matches!(walked, Walked::Through);
                    sessions.push(session);
                    if walked.weight() >= worst.weight() {
                        worst = walked;
                    }
                }
                Some(Err(failed)) => {
                    through = true;
                    error.get_or_insert(failed);
                }
            }
        }
        match error {
            Some(error) => Err(error),
            None => Ok(worst),
        }
    }
}
