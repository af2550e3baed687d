//! `kill -9` at random moments of the example's deploy: the next deploy ends in the undisturbed state.

use std::time::{Duration, Instant};

use crate::harness::Example;

const LEADS: u32 = 6_000;

/// What a deploy leaves: rows, catalog, history. Only what differs between two undisturbed runs is left out.
const STATE: &str = "SELECT md5(concat( \
    (SELECT string_agg(t::text, '|' ORDER BY id) FROM tenants t), (SELECT string_agg(l::text, '|' ORDER BY id) FROM leads l), \
    (SELECT string_agg(c::text, '|' ORDER BY id) FROM call_log c))) \
  || ' ' || (SELECT md5(string_agg(relname || relkind::text, '|' ORDER BY relname)) FROM pg_class WHERE relnamespace = 'public'::regnamespace) \
  || ' ' || (SELECT md5(string_agg(pg_get_indexdef(indexrelid) || indisvalid || indisready, '|' ORDER BY indexrelid::regclass::text)) \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace) \
  || ' ' || (SELECT string_agg(version || checksum, '|' ORDER BY version) FROM pgdeploy.migrations) \
  || ' ' || (SELECT count(*) FROM pgdeploy.succeeded_files)";

/// A small generator of our own: the same seed gives the same moments (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn killed_at_any_moment_the_next_deploy_ends_in_the_undisturbed_state() {
    // 30 kills in CI; PGDEPLOY_KILLS=200 for the long run, PGDEPLOY_SEED for other moments.
    let (kills, mut random) = (number("PGDEPLOY_KILLS", 30), Random(number("PGDEPLOY_SEED", 20_260_101)));
    let undisturbed = Example::with_leads(LEADS);
    let started = Instant::now();
    undisturbed.pgdeploy(&["deploy"]).exits(0);
    let duration = u64::try_from(started.elapsed().as_millis()).expect("milliseconds");
    let expected = undisturbed.query(STATE);
    let (mut killed, mut phases) = (0, Vec::new());
    while killed < kills {
        let example = Example::with_leads(LEADS);
        // Up to three kills in a row, each in what the one before has left.
        for _ in 0..=random.below(3) {
            let mut child = example.start(&["deploy", "--format", "jsonl"]);
            let moment = Instant::now() + Duration::from_millis(random.below(duration + 1));
            while Instant::now() < moment && child.try_wait().expect("a child").is_none() {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            let ended_by_itself = child.try_wait().expect("a child").is_some();
            child.kill().expect("a kill");
            let output = child.wait_with_output().expect("output");
            if !ended_by_itself {
                killed += 1;
                phases.push(String::from_utf8_lossy(&output.stdout).lines().count());
            }
        }
        let last = example.pgdeploy(&["deploy"]);
        assert_eq!(last.code, Some(0), "after {killed} kills: {last:?}");
        assert_eq!(example.query(STATE), expected, "after {killed} kills");
        let twice = "SELECT count(*) FROM (SELECT body ->> 'migration' FROM pgdeploy.journal WHERE event = 'migration.applied' GROUP BY 1 HAVING count(*) > 1) t";
        assert_eq!(example.query(twice), "0", "no migration was applied twice");
    }
    let distinct: std::collections::BTreeSet<_> = phases.iter().collect();
    assert!(distinct.len() >= 5, "the kills were spread over the deploy: {phases:?}");
}

#[test]
fn a_killed_runners_statement_is_waited_for_and_its_file_is_never_run_twice() {
    // Three short rounds in CI; PGDEPLOY_ORPHANS=20 PGDEPLOY_ORPHAN_SECONDS=5 for the long run.
    let (rounds, seconds) = (number("PGDEPLOY_ORPHANS", 3), number("PGDEPLOY_ORPHAN_SECONDS", 2));
    for round in 0..rounds {
        let text = format!(
            "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE once (n int); INSERT INTO once VALUES (1); SELECT pg_sleep({seconds});"
        );
        let project = crate::harness::Project::new().file("migrations/0001_slow.sql", &text);
        let mut client = project.client();
        let running = project.start(&["deploy"]);
        let at_work = format!(
            "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep({seconds})%' AND state = 'active' AND application_name = 'pgdeploy/schema' AND datname = current_database())"
        );
        crate::harness::until("the migration is at work", || client.is(&at_work));
        running.signal(rustix::process::Signal::KILL);
        drop(running.wait());
        let next = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
        let events = next.events();
        assert!(events.iter().any(|event| event["event"] == "deploy.closed_earlier"), "round {round}");
        assert_eq!(client.number("count(*) FROM once"), 1, "round {round}");
        assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1, "round {round}");
    }
}
