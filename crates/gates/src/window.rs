//! A stretch of time, by the clock on the wall of a zone.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::cron::Cron;

/// A zone of the IANA's database, which comes with the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The part of a deploy that a window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Migrations.
    Schema,
    /// Indexes.
    Index,
    /// Backfills.
    Backfill,
}

/// What a window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing begins in it.
    Deny,
    /// Where there is one, nothing begins outside of it.
    Allow,
}

/// When a window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Again and again: from each time of a cron expression on. The hours are those of the clock on the wall, so that a
    /// weekend ends on Monday at eight whether the clocks were changed in it or not.
    Recurring {
        /// Its beginnings.
        cron: Cron,
        /// How long each lasts.
        lasts: Duration,
    },
    /// Once.
    Once {
        /// Its first moment.
        from: Timestamp,
        /// The first moment after it.
        to: Timestamp,
    },
}

/// A stretch of time in which something is denied or allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What people call it.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// When it is.
    pub when: When,
    /// The zone of its clock.
    pub zone: Zone,
    /// What it is about; all of a deploy where empty.
    pub stages: Vec<Stage>,
}

impl Zone {
    /// The zone of a name such as `Europe/Paris`.
    pub fn named(name: &str) -> Option<Self> {
        // What jiff reads beyond names (POSIX rules) is not for people to maintain, and a zone that stands for none has no
        // clock.
        TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some() && !zone.is_unknown()).map(Self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The moments of a time on the wall: two where the clocks are set back over it. One that is skipped is the moment
    /// of the jump.
    pub fn moments(&self, wall: DateTime) -> Vec<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(wall);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().into_iter().collect(),
            AmbiguousOffset::Fold { before, after } => {
                [before, after].iter().filter_map(|offset| offset.to_timestamp(wall).ok()).collect()
            }
            AmbiguousOffset::Gap { after, .. } => {
                let early = after.to_timestamp(wall).ok();
                early.and_then(|early| self.transition(early)).into_iter().collect()
            }
        }
    }

    /// The moments at which a day on the wall is over.
    pub fn ends_of(&self, day: DateTime) -> Vec<Timestamp> {
        day.tomorrow().map(|next| self.moments(next.date().into())).unwrap_or_default()
    }

    /// A moment on the wall, such as `Mon 2026-11-23 08:00 Europe/Paris`.
    pub fn shown(&self, moment: Timestamp) -> String {
        format!("{} {}", moment.to_zoned(self.0.clone()).strftime("%a %Y-%m-%d %H:%M"), self.name())
    }

    fn wall(&self, moment: Timestamp) -> DateTime {
        self.0.to_datetime(moment)
    }

    /// The next change of the clocks.
    fn transition(&self, after: Timestamp) -> Option<Timestamp> {
        self.0.following(after).next().map(|transition| transition.timestamp())
    }
}

impl Window {
    /// Whether it is about a stage.
    pub fn is_about(&self, stage: Stage) -> bool {
        self.stages.is_empty() || self.stages.contains(&stage)
    }

    /// Whether it is now.
    pub fn covers(&self, now: Timestamp) -> bool {
        match &self.when {
            When::Once { from, to } => (*from..*to).contains(&now),
            When::Recurring { cron, lasts } => {
                let wall = self.zone.wall(now);
                end(cron, *lasts, wall).is_some_and(|end| wall < end)
            }
        }
    }

    /// The next moment at which it may begin or end: nothing changes before.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Once { from, to } => [*from, *to].into_iter().find(|moment| *moment > now),
            When::Recurring { cron, lasts } => {
                let wall = self.zone.wall(now);
                let end = end(cron, *lasts, wall).filter(|end| wall < *end);
                let next = end.or_else(|| cron.after(wall));
                let moments = next.into_iter().flat_map(|next| self.zone.moments(next));
                // Where the clocks are changed the hands jump, and may jump over a border.
                moments.chain(self.zone.transition(now)).filter(|moment| *moment > now).min()
            }
        }
    }

    /// When it is, as it was written.
    pub fn shown(&self) -> String {
        let when = match &self.when {
            When::Recurring { cron, lasts } => format!("{cron} for {}", humantime::format_duration(*lasts)),
            When::Once { from, to } => {
                return format!("{} to {}", self.zone.shown(*from), self.zone.shown(*to));
            }
        };
        format!("{when} {}", self.zone.name())
    }
}

/// When the window ends that began last.
fn end(cron: &Cron, lasts: Duration, wall: DateTime) -> Option<DateTime> {
    let days = i32::try_from(lasts.as_secs() / 86_400).unwrap_or(i32::MAX).saturating_add(1);
    let lasts = SignedDuration::try_from(lasts).ok()?;
    cron.at_or_before(wall, days)?.checked_add(lasts).ok()
}
