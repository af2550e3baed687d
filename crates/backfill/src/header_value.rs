//! The values that a header's keys may have, as text: each is refused with what to write instead.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One text, or a list of them.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name or a list of names")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

/// `20ms`, `1m`: with a unit, and with none of those that have no fixed length.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused =
        || D::Error::custom(format!("`{text}` is not a duration; write a number and a unit, such as 20ms"));
    let odd = |unit: &str| matches!(unit, "M" | "month" | "months" | "y" | "year" | "years");
    if text.split(|one: char| !one.is_alphabetic()).any(odd) {
        return Err(refused());
    }
    humantime::parse_duration(text.trim()).map(Some).map_err(|_| refused())
}

/// `50%` as 0.5.
pub(crate) fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<u8>().ok());
    match number.filter(|number| (1..=100).contains(number)) {
        Some(number) => Ok(Some(f64::from(number) / 100.0)),
        None => Err(D::Error::custom(format!("`{text}` is no share of the time; write one from 1% to 100%"))),
    }
}

/// `2027-01-31`.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parts: Vec<_> = text.split('-').map(str::parse::<u32>).collect();
    match parts.as_slice() {
        [Ok(year @ 1970..=9999), Ok(month @ 1..=12), Ok(day)]
            if text.len() == 10 && (1..=days(*year, *month)).contains(day) =>
        {
            Ok(Some(text))
        }
        _ => Err(D::Error::custom(format!("`{text}` is no date; write year-month-day, such as 2027-01-31"))),
    }
}

/// Of a month.
fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
