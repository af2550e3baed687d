//! The work of a wave: so many at once, until too many have failed.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

/// How far a wave may go.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many are at work at once.
    pub parallel: usize,
    /// How many connections they may have together.
    pub connections: usize,
    /// How many may fail before nothing more is begun.
    pub may_fail: usize,
}

/// A piece of work, and the connections that it may need.
#[derive(Debug)]
pub struct Job<J> {
    /// What is to be done.
    pub of: J,
    /// Its most connections at any time.
    pub connections: usize,
}

/// How a piece of work ended, as far as the wave is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Well,
    /// It counts against the budget.
    Failed,
    /// It was stopped from outside.
    Stopped,
}

/// What became of a wave.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// How many failed.
    pub failed: usize,
    /// How many were not begun.
    pub not_begun: usize,
    /// Whether more failed than may.
    pub beyond_budget: bool,
}

/// Who keeps account of what is begun and how it ends. An error ends the wave as soon as what is at work has ended.
#[allow(async_fn_in_trait)]
pub trait Account {
    /// A piece of work.
    type Job;
    /// What comes of it.
    type Done;
    /// What an account cannot be kept for.
    type Error;
    /// Before it is begun.
    async fn begins(&mut self, job: &Self::Job) -> Result<(), Self::Error>;
    /// After its end.
    async fn ended(&mut self, done: Self::Done) -> Result<Ending, Self::Error>;
}

/// Does the jobs in their order, as many at once as the limits allow; one alone always may. Whatever is at work when
/// nothing more is to be begun comes to its own end.
pub async fn run<A: Account, F: Future<Output = A::Done>>(
    jobs: Vec<Job<A::Job>>,
    limits: Limits,
    stop: &CancellationToken,
    account: &mut A,
    work: impl Fn(A::Job) -> F,
) -> Result<Ran, A::Error> {
    let mut waiting = VecDeque::from(jobs);
    let mut at_work = FuturesUnordered::new();
    let (mut connections, mut failed) = (0, 0);
    let mut broken = None;
    loop {
        while broken.is_none() && failed <= limits.may_fail && !stop.is_cancelled() {
            let fits = |job: &Job<_>| {
                at_work.is_empty()
                    || (at_work.len() < limits.parallel
                        && connections + job.connections <= limits.connections)
            };
            let Some(Job { of, connections: needed }) = waiting.pop_front_if(|job| fits(job)) else { break };
            if let Err(error) = account.begins(&of).await {
                broken = Some(error);
                waiting.push_front(Job { of, connections: needed });
                break;
            }
            connections += needed;
            let doing = work(of);
            at_work.push(async move { (needed, doing.await) });
        }
        let Some((needed, done)) = at_work.next().await else { break };
        connections -= needed;
        match account.ended(done).await {
            Ok(Ending::Failed) => failed += 1,
            Ok(Ending::Well | Ending::Stopped) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    match broken {
        Some(error) => Err(error),
        None => Ok(Ran { failed, not_begun: waiting.len(), beyond_budget: failed > limits.may_fail }),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    /// Numbers are the jobs; what `fails` names fails.
    struct Numbers {
        fails: Vec<u32>,
        ended: Vec<u32>,
    }

    impl Account for Numbers {
        type Job = u32;
        type Done = u32;
        type Error = Infallible;
        async fn begins(&mut self, _: &u32) -> Result<(), Infallible> {
            Ok(())
        }
        async fn ended(&mut self, done: u32) -> Result<Ending, Infallible> {
            self.ended.push(done);
            Ok(if self.fails.contains(&done) { Ending::Failed } else { Ending::Well })
        }
    }

    /// Runs 20 jobs of a few connections each; what became of them, what ended, and the most at once.
    fn ran(limits: Limits, connections: usize, fails: &[u32]) -> (Ran, Vec<u32>, usize) {
        let (at_once, most) = (Cell::new(0), Cell::new(0));
        let mut account = Numbers { fails: fails.to_vec(), ended: Vec::new() };
        let jobs = (0..20).map(|of| Job { of, connections }).collect();
        let work = |number| {
            let (at_once, most) = (&at_once, &most);
            async move {
                at_once.set(at_once.get() + 1);
                most.set(most.get().max(at_once.get()));
                tokio::task::yield_now().await;
                at_once.set(at_once.get() - 1);
                number
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let stop = CancellationToken::new();
        let ran = runtime.map(|runtime| runtime.block_on(run(jobs, limits, &stop, &mut account, work)));
        let Ok(Ok(ran)) = ran else { panic!("nothing here can fail") };
        (ran, account.ended, most.get())
    }

    #[test]
    fn no_more_are_at_work_than_both_limits_allow_and_one_always_may() {
        let limits = Limits { parallel: 4, connections: 12, may_fail: 0 };
        let (all, ended, most) = ran(limits, 3, &[]);
        assert_eq!((all, ended.len(), most), (Ran { failed: 0, not_begun: 0, beyond_budget: false }, 20, 4));
        assert_eq!(ran(limits, 5, &[]).2, 2);
        assert_eq!(ran(limits, 50, &[]).2, 1);
    }

    #[test]
    fn within_the_budget_the_rest_is_done() {
        let (all, ended, _) = ran(Limits { parallel: 4, connections: 99, may_fail: 2 }, 3, &[3, 7]);
        assert_eq!((all.failed, all.beyond_budget, ended.len()), (2, false, 20));
    }

    #[test]
    fn beyond_the_budget_nothing_is_begun_and_what_is_at_work_ends() {
        let (all, ended, _) = ran(Limits { parallel: 4, connections: 99, may_fail: 0 }, 3, &[1]);
        assert!(all.beyond_budget && all.failed == 1);
        assert_eq!(ended.len() + all.not_begun, 20);
        assert!((4..=6).contains(&ended.len()), "{ended:?}");
        let (all, ended, _) = ran(Limits { parallel: 1, connections: 99, may_fail: 0 }, 3, &[1]);
        assert_eq!((all.not_begun, ended), (18, vec![0, 1]));
    }
}
