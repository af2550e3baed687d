//! When something recurs: the five fields of cron, over the clock on the wall.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// From one 29 February to the next it is at most eight years.
const HORIZON_DAYS: i32 = 8 * 366;

/// Minute, hour, day of the month, month, day of the week; a bit for each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to fit both of its fields (one of them is `*`) or one of the two.
    both: bool,
}

impl Cron {
    /// Reads five fields; the error says what is wrong with which.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "has {} fields, not 5: minute, hour, day of the month, month, day of the week",
                fields.len()
            ));
        };
        let mut weekdays = field(weekday, "day of the week", 0, 7, &DAYS, 0)?;
        // 7 is Sunday too.
        weekdays |= weekdays >> 7;
        let cron = Self {
            text: fields.join(" "),
            minutes: field(minute, "minute", 0, 59, &[], 0)?,
            hours: field(hour, "hour", 0, 23, &[], 0)?,
            days: field(day, "day of the month", 1, 31, &[], 0)?,
            months: field(month, "month", 1, 12, &MONTHS, 1)?,
            weekdays,
            both: day.starts_with('*') || weekday.starts_with('*'),
        };
        match cron.after(DateTime::constant(2000, 1, 1, 0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err("never comes: no month has that day".into()),
        }
    }

    /// The last time at or before a time of the wall clock, if it is not longer ago than so many days.
    pub(crate) fn at_or_before(&self, wall: DateTime, days: i32) -> Option<DateTime> {
        (0..=days).find_map(|back| {
            let date = wall.date().checked_sub(back.days()).ok().filter(|date| self.fits(*date))?;
            let minutes = (0..24 * 60).rev().filter(|minute| self.fits_minute(*minute));
            minutes.map(|minute| at(date, minute)).find(|time| *time <= wall)
        })
    }

    /// The first time after a time of the wall clock.
    pub(crate) fn after(&self, wall: DateTime) -> Option<DateTime> {
        (0..=HORIZON_DAYS).find_map(|ahead| {
            let date = wall.date().checked_add(ahead.days()).ok().filter(|date| self.fits(*date))?;
            let minutes = (0..24 * 60).filter(|minute| self.fits_minute(*minute));
            minutes.map(|minute| at(date, minute)).find(|time| *time > wall)
        })
    }

    fn fits(&self, date: Date) -> bool {
        let weekday = match date.weekday() {
            Weekday::Sunday => 0,
            other => other.to_monday_one_offset(),
        };
        let day = has(self.days, date.day().unsigned_abs());
        let weekday = has(self.weekdays, weekday.unsigned_abs());
        let days = if self.both { day && weekday } else { day || weekday };
        days && has(self.months, date.month().unsigned_abs())
    }

    fn fits_minute(&self, minute: u16) -> bool {
        has(self.hours, (minute / 60) as u8) && has(self.minutes, (minute % 60) as u8)
    }
}

impl std::fmt::Display for Cron {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

fn at(date: Date, minute: u16) -> DateTime {
    date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0)
}

fn has(bits: u64, value: u8) -> bool {
    bits & (1 << value) != 0
}

/// One field: `*`, a value, a name, a range, a list of them, each with a step.
fn field(text: &str, what: &str, least: u8, most: u8, names: &[&str], base: u8) -> Result<u64, String> {
    let wrong =
        |part: &str| format!("`{part}` is no {what}: {least} to {most}, such as 5, 1-5, */10 or 1,15");
    let value = |part: &str| -> Result<u8, String> {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(part));
        let value = match named {
            Some(place) => u8::try_from(place).unwrap_or(u8::MAX) + base,
            // `+5` is a number to Rust.
            None if part.starts_with('+') => return Err(wrong(part)),
            None => part.parse().map_err(|_| wrong(part))?,
        };
        if (least..=most).contains(&value) { Ok(value) } else { Err(wrong(part)) }
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, step.parse::<u8>().ok().filter(|step| *step > 0).ok_or_else(|| wrong(part))?)
            }
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (value(first)?, value(last)?),
            // `5/10` is from 5 to the end.
            None if part.contains('/') => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        if first > last {
            return Err(format!("`{range}` of the {what} goes backwards: write two ranges"));
        }
        (first..=last).step_by(step.into()).for_each(|value| bits |= 1 << value);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn fields_have_values_names_ranges_lists_and_steps() {
        for (text, from, next) in [
            ("0 18 * * FRI", "2026-11-21T12:00", "2026-11-27T18:00"),
            ("0 18 * * 5", "2026-11-27T18:00", "2026-12-04T18:00"),
            ("30 9-17/4 * * mon-fri", "2026-11-21T12:00", "2026-11-23T09:30"),
            ("*/20 * * * *", "2026-11-21T12:20", "2026-11-21T12:40"),
            ("5/30 1 * * *", "2026-11-21T01:05", "2026-11-21T01:35"),
            ("0 0 1 JAN,jul *", "2026-11-21T12:00", "2027-01-01T00:00"),
            ("0 0 29 2 *", "2026-11-21T12:00", "2028-02-29T00:00"),
            ("0 0 * * 0", "2026-11-21T12:00", "2026-11-22T00:00"),
            ("0 0 * * 7", "2026-11-21T12:00", "2026-11-22T00:00"),
            // With both days written one of them is enough, as cron has it.
            ("0 0 13 * FRI", "2026-11-21T12:00", "2026-11-27T00:00"),
            ("0 0 13 * FRI", "2026-12-11T00:00", "2026-12-13T00:00"),
        ] {
            assert_eq!(Cron::parse(text).unwrap().after(time(from)), Some(time(next)), "{text}");
        }
    }

    #[test]
    fn what_is_not_cron_is_refused_with_the_field() {
        for (text, part) in [
            ("0 18 * *", "4 fields"),
            ("60 * * * *", "minute"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of the month"),
            ("* * * XYZ *", "month"),
            ("* * * * 8", "day of the week"),
            ("* * * * FRI-MON", "backwards"),
            ("*/0 * * * *", "minute"),
            ("+5 * * * *", "minute"),
            ("1, * * * *", "minute"),
            ("0 0 30 2 *", "never comes"),
            ("", "0 fields"),
        ] {
            let told = Cron::parse(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }

    #[test]
    fn the_last_time_is_looked_for_no_longer_than_asked() {
        let cron = Cron::parse("0 18 * * FRI").unwrap();
        let monday = time("2026-11-23T08:00");
        assert_eq!(cron.at_or_before(monday, 3), Some(time("2026-11-20T18:00")));
        assert_eq!(cron.at_or_before(monday, 2), None);
        assert_eq!(cron.at_or_before(time("2026-11-20T18:00"), 0), Some(time("2026-11-20T18:00")));
        assert_eq!(cron.at_or_before(time("2026-11-20T17:59"), 6), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9*,/A-Z -]{0,24}") {
            let _ = Cron::parse(&text);
        }

        #[test]
        fn the_next_time_is_the_last_one_at_itself(minute in 0..60u8, day in 0..7u8, from in 0..1_000_000i64) {
            let cron = Cron::parse(&format!("{minute} */3 * * {day}")).unwrap();
            let wall = time("2026-01-01T00:00").checked_add(from.minutes()).unwrap();
            let next = cron.after(wall).unwrap();
            proptest::prop_assert!(next > wall);
            proptest::prop_assert_eq!(cron.at_or_before(next, 0), Some(next));
            let before = cron.at_or_before(next.checked_sub(1.minute()).unwrap(), 8).unwrap();
            proptest::prop_assert!(before <= wall);
        }
    }
}
