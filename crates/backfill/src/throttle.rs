//! What the server's state leaves to us: from what was seen to a level, with the reasons, and with hysteresis, so that it
//! does not go to and fro.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::company::Company;
use crate::pressure::Pressure;
use crate::settings::Throttle;
use crate::signals::Seen;

/// A signal that was raised comes down below this share of its threshold.
const DOWN: f64 = 0.6;
/// How long a session that waits for us for too long holds us up.
const HOLD: Duration = Duration::from_secs(5);
/// Where autovacuum will soon force itself on the table, and where the server comes near to refusing writes.
const WRAPAROUND: (f64, f64) = (1.0e9, 1.6e9);
/// Sessions that wait for us this long are a reason for smaller batches.
const BLOCKED: Duration = Duration::from_millis(100);

/// Judges what is seen.
#[derive(Debug)]
pub(crate) struct Judge {
    limits: Throttle,
    /// The duty that each signal leaves, while it is raised.
    raised: BTreeMap<&'static str, f64>,
    held: Option<(Instant, String)>,
    seen_at: Instant,
    halvings: u64,
    company: Company,
    /// The replicas that were there at the first look, and have to be there.
    replicas: Option<Vec<String>>,
    wal: Option<(Instant, f64)>,
    checkpoints: Option<i64>,
    checkpointed: Option<Instant>,
}

impl Judge {
    pub(crate) fn new(limits: &Throttle, now: Instant) -> Self {
        Self {
            limits: limits.clone(),
            raised: BTreeMap::new(),
            held: None,
            seen_at: now,
            halvings: 0,
            company: Company::default(),
            replicas: None,
            wal: None,
            checkpoints: None,
            checkpointed: None,
        }
    }

    /// After a look that failed.
    pub(crate) fn blind(&mut self, now: Instant, error: &str) -> Option<Pressure> {
        (now.duration_since(self.seen_at) > self.limits.blind).then(|| Pressure {
            duty: 0.0,
            reasons: vec![format!(
                "the server's state has not been seen for {:?}: {error}",
                self.limits.blind
            )],
            halvings: self.halvings,
            alone: false,
            opens: None,
        })
    }

    /// After a look that succeeded.
    pub(crate) fn judge(&mut self, now: Instant, seen: &Seen) -> Pressure {
        self.seen_at = now;
        let mut reasons = Vec::new();
        let limits = self.limits.clone();
        if let Some(closed) = seen.outside_window.as_ref() {
            self.raised.insert("window", 0.0);
            reasons.push(format!("it is outside of its window {}", closed.window));
        } else {
            self.raised.remove("window");
        }
        if let Some(limit) = limits.replica_lag {
            let text = |lag: f64| format!("a replica is {lag:.0}s behind ({}s may be)", limit.as_secs());
            self.between("lag", seen.replica_lag, (0.5, 1.0), limit.as_secs_f64(), text, &mut reasons);
            self.flag("unseen lag", seen.unseen_replicas > 0, 0.5, &mut reasons, || {
                format!("the lag of {} replicas cannot be seen: GRANT pg_monitor", seen.unseen_replicas)
            });
        }
        if limits.missing_replicas {
            let known = self.replicas.get_or_insert_with(|| seen.replicas.clone());
            let missing: Vec<String> =
                known.iter().filter(|name| !seen.replicas.contains(name)).cloned().collect();
            known.extend(
                seen.replicas.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>(),
            );
            self.flag("replica", !missing.is_empty(), 0.0, &mut reasons, || {
                format!("a replica has vanished: {}", missing.join(", "))
            });
            self.flag("slot", !seen.inactive_slots.is_empty(), 0.0, &mut reasons, || {
                format!("nobody reads the replication slot {}", seen.inactive_slots.join(", "))
            });
        }
        self.flag("archiver", limits.archiver && seen.archiver_fails, 0.0, &mut reasons, || {
            "the archiver fails: WAL piles up".into()
        });
        self.blocked(now, seen, &mut reasons);
        if let Some(limit) = limits.longest_transaction {
            let text = |age: f64| {
                format!(
                    "a snapshot or prepared transaction is {age:.0}s old: what we leave behind cannot be pruned"
                )
            };
            self.between(
                "snapshot",
                seen.oldest_snapshot,
                (1.0, 4.0),
                limit.as_secs_f64(),
                text,
                &mut reasons,
            );
        }
        self.flag("autovacuum", seen.autovacuum, 0.5, &mut reasons, || {
            "autovacuum is at work on the table".into()
        });
        let wraparound =
            |age: f64| format!("the table's oldest transaction is {:.1} billion back", age / 1e9);
        self.between(
            "wraparound",
            seen.xid_age,
            (WRAPAROUND.0 / WRAPAROUND.1, 1.0),
            WRAPAROUND.1,
            wraparound,
            &mut reasons,
        );
        if let Some(limit) = limits.active_sessions {
            let text =
                |sessions: f64| format!("{sessions:.0} sessions of others are at work ({limit} may be)");
            let active = Some(seen.active_sessions as f64);
            self.between("active", active, (1.0, 2.0), limit as f64, text, &mut reasons);
        }
        self.wal(now, seen, &mut reasons);
        self.checkpoints(now, seen, &mut reasons);
        let duty = self.raised.values().copied().fold(1.0, f64::min);
        let alone = !self.company.is_there(now, &seen.others, limits.lately());
        let opens = seen.outside_window.as_ref().and_then(|closed| now.checked_add(closed.opens));
        Pressure { duty, reasons, halvings: self.halvings, alone, opens }
    }

    /// A number with a level from which it slows us down by half, and one from which it stops us.
    fn between(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        (slow, pause): (f64, f64),
        limit: f64,
        text: impl Fn(f64) -> String,
        reasons: &mut Vec<String>,
    ) {
        let Some(value) = value else {
            self.raised.remove(name);
            return;
        };
        let before = self.raised.get(name).copied();
        let above = |share: f64, was: bool| value >= limit * share * if was { DOWN } else { 1.0 };
        let duty = if above(pause, before == Some(0.0)) {
            Some(0.0)
        } else if above(slow, before.is_some()) {
            Some(0.5)
        } else {
            None
        };
        match duty {
            Some(duty) => {
                self.raised.insert(name, duty);
                reasons.push(text(value));
            }
            None => {
                self.raised.remove(name);
            }
        }
    }

    fn flag(
        &mut self,
        name: &'static str,
        is: bool,
        duty: f64,
        reasons: &mut Vec<String>,
        text: impl Fn() -> String,
    ) {
        if is {
            self.raised.insert(name, duty);
            reasons.push(text());
        } else {
            self.raised.remove(name);
        }
    }

    fn blocked(&mut self, now: Instant, seen: &Seen, reasons: &mut Vec<String>) {
        let Some(limit) = self.limits.blocked_sessions else { return };
        if let Some((pid, waited)) = seen.blocked {
            if waited >= BLOCKED {
                self.halvings += 1;
            }
            if waited >= limit {
                self.held =
                    Some((now, format!("pid {pid} has waited for us for {:.1}s", waited.as_secs_f64())));
            }
        }
        match &self.held {
            Some((at, text)) if now.duration_since(*at) < HOLD => {
                self.raised.insert("blocked", 0.0);
                reasons.push(text.clone());
            }
            _ => {
                self.held = None;
                self.raised.remove("blocked");
            }
        }
    }

    fn wal(&mut self, now: Instant, seen: &Seen, reasons: &mut Vec<String>) {
        let before = self.wal.replace((now, seen.wal));
        let (Some(limit), Some((at, bytes))) = (self.limits.wal_per_second, before) else { return };
        let rate = (seen.wal - bytes) / now.duration_since(at).as_secs_f64().max(0.1);
        let text =
            |rate: f64| format!("{:.0} MB of WAL per second ({:.0} may be)", rate / 1e6, limit as f64 / 1e6);
        self.between("wal", Some(rate), (0.8, 1.0), limit as f64, text, reasons);
    }

    /// One that was asked for comes before its time: the disks are written to faster than they were made for.
    fn checkpoints(&mut self, now: Instant, seen: &Seen, reasons: &mut Vec<String>) {
        let Some(requested) = seen.checkpoints else { return };
        if self.checkpoints.replace(requested).is_some_and(|before| requested > before) {
            self.checkpointed = Some(now);
        }
        let recent = self.checkpointed.is_some_and(|at| now.duration_since(at) < Duration::from_secs(30));
        self.flag("checkpoint", recent, 0.5, reasons, || {
            "a checkpoint came before its time: see max_wal_size".into()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lagging(seconds: f64) -> Seen {
        Seen { replica_lag: Some(seconds), ..Seen::default() }
    }

    #[test]
    fn a_replica_slows_it_down_then_stops_it_and_it_comes_back_late() {
        let now = Instant::now();
        let mut judge = Judge::new(&Throttle::default(), now);
        let mut duty = |seconds| judge.judge(now, &lagging(seconds)).duty;
        assert_eq!([1.0, 5.0, 10.0, 7.0, 5.9, 3.5, 2.9].map(&mut duty), [1.0, 0.5, 0.0, 0.0, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn what_has_vanished_stops_it_until_it_is_back() {
        let now = Instant::now();
        let mut judge = Judge::new(&Throttle::default(), now);
        let with = |names: &[&str]| Seen {
            replicas: names.iter().map(ToString::to_string).collect(),
            ..Seen::default()
        };
        assert_eq!(judge.judge(now, &with(&["a", "b"])).duty, 1.0);
        let pressure = judge.judge(now, &with(&["b"]));
        assert_eq!((pressure.duty, pressure.reasons[0].as_str()), (0.0, "a replica has vanished: a"));
        assert_eq!(judge.judge(now, &with(&["b", "a"])).duty, 1.0);
    }

    #[test]
    fn a_session_that_waits_for_us_halves_the_batches_and_then_stops_them_for_a_while() {
        let now = Instant::now();
        let mut judge = Judge::new(&Throttle::default(), now);
        let blocked = |millis| Seen { blocked: Some((7, Duration::from_millis(millis))), ..Seen::default() };
        assert_eq!(
            (judge.judge(now, &blocked(50)).halvings, judge.judge(now, &blocked(200)).halvings),
            (0, 1)
        );
        assert_eq!(judge.judge(now, &blocked(1500)).duty, 0.0);
        assert_eq!(judge.judge(now + Duration::from_secs(4), &Seen::default()).duty, 0.0);
        assert_eq!(judge.judge(now + Duration::from_secs(6), &Seen::default()).duty, 1.0);
    }

    #[test]
    fn what_cannot_be_seen_for_long_stops_it() {
        let now = Instant::now();
        let mut judge = Judge::new(&Throttle::default(), now);
        assert!(judge.blind(now + Duration::from_secs(10), "no answer").is_none());
        let pressure = judge.blind(now + Duration::from_secs(16), "no answer");
        assert_eq!(pressure.map(|pressure| pressure.duty), Some(0.0));
    }
}
