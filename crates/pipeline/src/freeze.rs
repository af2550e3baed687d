//! The windows of an environment: by cron and a duration, or once from here to there.

use gates::{Cron, Effect, Stage, When, Window, Zone};

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::raw;
use crate::reading::Reading;

const FORMS: &str = "write deny (or allow) with for: { deny: \"0 18 * * FRI\", for: 62h, .. }; or from with to: { from: 2026-12-24, to: 2027-01-02, .. }";

impl Reading<'_> {
    /// A window; `None` where something is wrong with it, which is among the problems then.
    pub(crate) fn window(&mut self, raw: &raw::Window) -> Option<Window> {
        let zone = self.zone(raw.timezone.as_ref()?);
        let stages = raw.stages.iter().flatten().map(|stage| {
            let all = [("schema", Stage::Schema), ("index", Stage::Index), ("backfill", Stage::Backfill)];
            self.choice(Some(stage), &all)
        });
        let stages = stages.collect();
        let (effect, when) = match (&raw.deny, &raw.allow, &raw.lasts, &raw.from, &raw.to) {
            (Some(deny), None, Some(lasts), None, None) => (Effect::Deny, self.recurring(deny, lasts)),
            (None, Some(allow), Some(lasts), None, None) => (Effect::Allow, self.recurring(allow, lasts)),
            (None, None, None, Some(from), Some(to)) => (Effect::Deny, self.once(from, to, zone.as_ref()?)),
            _ => {
                let texts = [&raw.deny, &raw.allow, &raw.from, &raw.to, &raw.name, &raw.timezone];
                let first = texts.into_iter().flatten().min_by_key(|one| one.start)?;
                self.refuse(code::BAD_WINDOW, first.span(), "this is no window", FORMS);
                return None;
            }
        };
        let (when, zone) = (when?, zone?);
        let name = raw.name.as_ref().map(|name| name.value.trim().to_owned());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "a window".to_owned());
        Some(Window { name, effect, when, zone, stages })
    }

    fn zone(&mut self, written: &At<String>) -> Option<Zone> {
        let found = Zone::named(&written.value);
        if found.is_none() {
            let message = format!("there is no time zone `{}`", written.value);
            let help = "write its IANA name, such as Europe/Paris, America/New_York or UTC";
            self.refuse(code::BAD_ZONE, written.span(), message, help);
        }
        found
    }

    fn recurring(&mut self, cron: &At<String>, lasts: &At<crate::duration::Written>) -> Option<When> {
        let lasts = self.duration(Some(lasts), &limits::WINDOW);
        match Cron::parse(&cron.value) {
            Ok(cron) => Some(When::Recurring { cron, lasts }),
            Err(why) => {
                let message = format!("`{}` {why}", cron.value.trim());
                let help = "five fields: minute, hour, day of the month, month, day of the week; \"0 18 * * FRI\" is Fridays at 18:00";
                self.refuse(code::BAD_CRON, cron.span(), message, help);
                None
            }
        }
    }

    fn once(&mut self, from: &At<String>, to: &At<String>, zone: &Zone) -> Option<When> {
        let mut moments = [from, to].map(|written| {
            let text = written.value.trim();
            // Nothing opens on the last day of a freeze: a day without a time is all of it.
            let is_last_day = written.start == to.start && !text.contains([':', 'T', 't', ' ']);
            let moments = match text.parse() {
                Ok(day) if is_last_day => zone.ends_of(day),
                Ok(wall) => zone.moments(wall),
                Err(_) => Vec::new(),
            };
            if moments.is_empty() {
                let message = format!("`{}` is no time", written.value);
                let help = "write a day or a time on it: 2026-12-24, 2026-12-24T18:00";
                self.refuse(code::BAD_WINDOW, written.span(), message, help);
            }
            moments
        });
        // A time that comes twice: the window is never shorter than it may have been meant.
        let (from_moment, to_moment) = (moments[0].first().copied()?, moments[1].pop()?);
        if from_moment >= to_moment {
            let message = "the window ends before it begins";
            let help = "`from` is before `to`; a `to` without a time is all of that day";
            self.refuse(code::BAD_WINDOW, to.span(), message, help);
            return None;
        }
        Some(When::Once { from: from_moment, to: to_moment })
    }
}
