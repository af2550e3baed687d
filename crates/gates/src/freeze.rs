//! What the clock allows: deny beats allow.

use jiff::Timestamp;

use crate::window::{Effect, Stage, Window};

/// Steps that a search takes before it says that there is no end in sight.
const STEPS: usize = 10_000;

/// Whether a stage may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Open,
    /// It may not.
    Closed {
        /// The windows that are in the way, or that are awaited.
        why: Vec<String>,
        /// From when on it may, if that is in sight.
        until: Option<Timestamp>,
    },
}

/// Whether a stage may begin now.
pub fn standing(windows: &[Window], stage: Stage, now: Timestamp) -> Standing {
    if is_open(windows, stage, now) {
        return Standing::Open;
    }
    let about = |effect| windows.iter().filter(move |one| one.effect == effect && one.is_about(stage));
    let told = |window: &Window, verb: &str| format!("{} {verb}: {}", window.name, window.shown());
    let mut why: Vec<String> =
        about(Effect::Deny).filter(|one| one.covers(now)).map(|one| told(one, "denies")).collect();
    if why.is_empty() {
        why = about(Effect::Allow).map(|one| told(one, "would allow")).collect();
    }
    Standing::Closed { why, until: next(windows, stage, now, true) }
}

/// The next moment at which a stage that may run has to stop; `None` where none is in sight.
pub fn closes_at(windows: &[Window], stage: Stage, now: Timestamp) -> Option<Timestamp> {
    next(windows, stage, now, false)
}

fn is_open(windows: &[Window], stage: Stage, now: Timestamp) -> bool {
    let mut allowed = None;
    for window in windows.iter().filter(|window| window.is_about(stage)) {
        match (window.effect, window.covers(now)) {
            (Effect::Deny, true) => return false,
            (Effect::Deny, false) => {}
            (Effect::Allow, covers) => allowed = Some(allowed.unwrap_or(false) || covers),
        }
    }
    allowed.unwrap_or(true)
}

/// The first moment from which on it is open, or closed.
fn next(windows: &[Window], stage: Stage, now: Timestamp, open: bool) -> Option<Timestamp> {
    let mut moment = now;
    for _ in 0..STEPS {
        if is_open(windows, stage, moment) == open {
            return Some(moment);
        }
        let about = windows.iter().filter(|window| window.is_about(stage));
        moment = about.filter_map(|window| window.next_change(moment)).min()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cron::Cron;
    use crate::window::{When, Zone};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(effect: Effect, cron: &str, hours: f64, zone: &str) -> Window {
        Window {
            name: cron.to_owned(),
            effect,
            when: When::Recurring {
                cron: Cron::parse(cron).unwrap(),
                lasts: Duration::from_secs_f64(hours * 3600.0),
            },
            zone: Zone::named(zone).unwrap(),
            stages: Vec::new(),
        }
    }

    fn until(windows: &[Window], now: &str) -> Option<Timestamp> {
        match standing(windows, Stage::Schema, at(now)) {
            Standing::Open => None,
            Standing::Closed { until, .. } => Some(until.expect("an end")),
        }
    }

    #[test]
    fn a_weekend_ends_on_monday_at_eight_in_summer_in_winter_and_when_the_clocks_change_in_it() {
        let weekend = [window(Effect::Deny, "0 18 * * FRI", 62.0, "Europe/Paris")];
        // Monday at eight in winter (UTC+1), in summer (UTC+2), and on the two weekends of the change.
        for (within, end) in [
            ("2026-11-21T12:00:00Z", "2026-11-23T07:00:00Z"),
            ("2026-07-04T12:00:00Z", "2026-07-06T06:00:00Z"),
            ("2026-03-28T12:00:00Z", "2026-03-30T06:00:00Z"),
            ("2026-03-29T12:00:00Z", "2026-03-30T06:00:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-26T07:00:00Z"),
            ("2026-10-25T12:00:00Z", "2026-10-26T07:00:00Z"),
        ] {
            assert_eq!(until(&weekend, within), Some(at(end)), "{within}");
            assert_eq!(until(&weekend, end), None, "{end}");
            let just_before = at(end).checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
            assert_eq!(until(&weekend, &just_before.to_string()), Some(at(end)), "{end}");
        }
        // It begins on Friday at 18:00 in winter and in summer.
        assert_eq!(until(&weekend, "2026-11-20T16:59:59Z"), None);
        assert!(until(&weekend, "2026-11-20T17:00:00Z").is_some());
        assert_eq!(until(&weekend, "2026-07-03T15:59:59Z"), None);
        assert!(until(&weekend, "2026-07-03T16:00:00Z").is_some());
    }

    #[test]
    fn a_border_that_the_clocks_jump_over_is_the_moment_of_the_jump() {
        // On 29 March 2026 in Paris 02:00 is followed by 03:00, at 01:00 UTC.
        let night = [window(Effect::Deny, "30 2 * * *", 1.0, "Europe/Paris")];
        assert_eq!(until(&night, "2026-03-29T00:59:59Z"), None);
        assert_eq!(until(&night, "2026-03-29T01:00:00Z"), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(
            closes_at(&night, Stage::Schema, at("2026-03-29T00:30:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
        let early = [window(Effect::Deny, "0 1 * * *", 1.5, "Europe/Paris")];
        assert_eq!(until(&early, "2026-03-29T00:30:00Z"), Some(at("2026-03-29T01:00:00Z")));
        let within = [window(Effect::Deny, "10 2 * * *", 0.5, "Europe/Paris")];
        assert_eq!(until(&within, "2026-03-29T01:00:00Z"), None, "an hour that does not come");
    }

    #[test]
    fn an_hour_that_comes_twice_is_denied_twice() {
        // On 25 October 2026 in Paris the hour from 02:00 comes at 00:00 UTC and again at 01:00 UTC.
        let night = [window(Effect::Deny, "0 2 * * *", 0.5, "Europe/Paris")];
        assert_eq!(until(&night, "2026-10-25T00:10:00Z"), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(until(&night, "2026-10-25T00:40:00Z"), None);
        assert_eq!(
            closes_at(&night, Stage::Schema, at("2026-10-25T00:40:00Z")),
            Some(at("2026-10-25T01:00:00Z"))
        );
        assert_eq!(until(&night, "2026-10-25T01:10:00Z"), Some(at("2026-10-25T01:30:00Z")));
        let across = [window(Effect::Deny, "30 1 * * *", 1.0, "Europe/Paris")];
        assert_eq!(until(&across, "2026-10-24T23:40:00Z"), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(until(&across, "2026-10-25T01:10:00Z"), Some(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn deny_beats_allow_and_without_an_allowing_window_everything_is_allowed() {
        let office = window(Effect::Allow, "0 9 * * MON-FRI", 8.0, "Europe/Paris");
        let lunch = window(Effect::Deny, "0 12 * * *", 1.0, "Europe/Paris");
        assert_eq!(until(std::slice::from_ref(&lunch), "2026-11-21T02:00:00Z"), None);
        let both = [office, lunch];
        assert_eq!(until(&both, "2026-11-23T09:00:00Z"), None);
        assert_eq!(until(&both, "2026-11-23T11:30:00Z"), Some(at("2026-11-23T12:00:00Z")));
        assert_eq!(until(&both, "2026-11-21T11:30:00Z"), Some(at("2026-11-23T08:00:00Z")), "Saturday");
        assert_eq!(
            closes_at(&both, Stage::Schema, at("2026-11-23T09:00:00Z")),
            Some(at("2026-11-23T11:00:00Z"))
        );
        let Standing::Closed { why, .. } = standing(&both, Stage::Schema, at("2026-11-21T11:30:00Z")) else {
            panic!("open on Saturday")
        };
        assert_eq!(why, ["0 12 * * * denies: 0 12 * * * for 1h Europe/Paris"]);
    }

    #[test]
    fn a_window_of_one_stage_leaves_the_others_alone() {
        let mut day = window(Effect::Deny, "0 8 * * *", 10.0, "America/New_York");
        day.stages = vec![Stage::Backfill];
        let now = at("2026-11-23T15:00:00Z");
        assert_eq!(standing(std::slice::from_ref(&day), Stage::Schema, now), Standing::Open);
        assert!(matches!(standing(&[day], Stage::Backfill, now), Standing::Closed { .. }));
    }

    #[test]
    fn windows_that_follow_on_each_other_are_one_and_one_without_end_says_so() {
        let chain = [
            window(Effect::Deny, "0 8 * * *", 4.0, "UTC"),
            window(Effect::Deny, "0 12 * * *", 4.0, "UTC"),
            window(Effect::Deny, "*/10 16 * * *", 1.0, "UTC"),
        ];
        assert_eq!(until(&chain, "2026-11-21T09:00:00Z"), Some(at("2026-11-21T17:50:00Z")));
        let always = [window(Effect::Deny, "* * * * *", 1.0, "UTC")];
        let Standing::Closed { until, .. } = standing(&always, Stage::Index, at("2026-11-21T09:00:00Z"))
        else {
            panic!("open")
        };
        assert_eq!(until, None);
    }

    #[test]
    fn a_window_that_comes_once_has_a_first_and_a_last_moment() {
        let zone = Zone::named("Europe/Paris").unwrap();
        let moment = |text: &str| zone.moments(text.parse().unwrap())[0];
        let (from, to) = (moment("2026-12-24T00:00"), moment("2027-01-02T00:00"));
        let when = When::Once { from, to };
        let christmas =
            [Window { name: "christmas".into(), effect: Effect::Deny, when, zone, stages: Vec::new() }];
        assert_eq!(until(&christmas, "2026-12-23T22:59:59Z"), None);
        assert_eq!(until(&christmas, "2026-12-23T23:00:00Z"), Some(at("2027-01-01T23:00:00Z")));
        assert_eq!(until(&christmas, "2027-01-01T23:00:00Z"), None);
        assert_eq!(closes_at(&christmas, Stage::Backfill, at("2026-11-21T00:00:00Z")), Some(from));
        assert_eq!(closes_at(&christmas, Stage::Backfill, to), None);
    }

    #[test]
    fn zones_have_iana_names_and_come_with_the_program() {
        for name in [
            "Europe/Paris",
            "America/Argentina/Buenos_Aires",
            "UTC",
            "Asia/Kathmandu",
            "CET",
            "EST5EDT",
            "Japan",
        ] {
            assert_eq!(Zone::named(name).expect(name).name(), name);
        }
        for name in [
            "Europe/Pari",
            "CET-1CEST",
            "",
            "local",
            "+02:00",
            "Paris",
            "Etc/Unknown",
            "EST5EDT,M3.2.0,M11.1.0",
        ] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_day_is_over_at_midnight_whatever_the_clocks_do_in_it() {
        for (zone, day, ends) in [
            ("UTC", "2026-11-21", &["2026-11-22T00:00:00Z"][..]),
            ("Europe/Paris", "2026-03-29", &["2026-03-29T22:00:00Z"]),
            ("Europe/Paris", "2026-10-25", &["2026-10-25T23:00:00Z"]),
            // Midnight comes twice, and is jumped over.
            ("America/Havana", "2026-10-31", &["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z"]),
            ("Africa/Cairo", "2026-04-23", &["2026-04-23T22:00:00Z"]),
        ] {
            let ends: Vec<Timestamp> = ends.iter().map(|end| at(end)).collect();
            let zone = Zone::named(zone).expect(zone);
            assert_eq!(zone.ends_of(day.parse().unwrap()), ends, "{day} {}", zone.name());
        }
    }

    proptest::proptest! {
        /// What the search says is what looking at every minute says.
        #[test]
        fn the_end_is_the_first_open_minute(start in 0..1440i64, minutes in 30..900u32, day in 0..730i64) {
            let cron = format!("{} {} * * *", start % 60, start / 60);
            let deny = [window(Effect::Deny, &cron, f64::from(minutes) / 60.0, "Europe/Paris")];
            let now = Timestamp::from_second(1_767_225_600 + day * 86_400 + start * 60 / 7).unwrap();
            let now = Timestamp::from_second(now.as_second() / 60 * 60).unwrap();
            let minute = |nth: i64| Timestamp::from_second(now.as_second() + nth * 60).unwrap();
            let open = (0..3000).map(minute).find(|moment| !deny[0].covers(*moment));
            let closed = (0..3000).map(minute).find(|moment| deny[0].covers(*moment));
            proptest::prop_assert_eq!(next(&deny, Stage::Schema, now, true), open);
            proptest::prop_assert_eq!(next(&deny, Stage::Schema, now, false), closed);
        }
    }
}
