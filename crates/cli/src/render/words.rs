//! Numbers as people read them.

use std::time::Duration;

/// `41ms`, `3.1s`, `26m 03s`, `4h 10m`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        _ if duration < Duration::from_secs(1) => format!("{}ms", duration.as_millis()),
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The same from milliseconds.
pub(crate) fn milliseconds(number: u64) -> String {
    time(Duration::from_millis(number))
}

/// The same from seconds.
pub(crate) fn seconds(number: f64) -> String {
    time(Duration::try_from_secs_f64(number).unwrap_or_default())
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// `312 KiB`, `31 MiB`, `1.4 GiB`.
pub(crate) fn bytes(number: i64) -> String {
    let kibibytes = number as f64 / 1024.0;
    match kibibytes {
        _ if kibibytes < 1024.0 => format!("{kibibytes:.0} KiB"),
        _ if kibibytes < 1024.0 * 1024.0 => format!("{:.0} MiB", kibibytes / 1024.0),
        _ => format!("{:.1} GiB", kibibytes / 1024.0 / 1024.0),
    }
}

/// `1 index`, `2 indexes`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// `█████░░░░░  52 %`.
pub(crate) fn bar(done: u64, total: u64) -> String {
    const WIDTH: u64 = 10;
    let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
    let full = (share * WIDTH as f64) as usize;
    format!("{}{} {:>3.0} %", "█".repeat(full), "░".repeat(WIDTH as usize - full), (share * 100.0).floor())
}

/// `52 %`, never 100 before it is.
pub(crate) fn percent(done: u64, total: u64) -> String {
    let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    format!("{:.0} %", (share * 100.0).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [41, 3_100, 1_563_000, 15_000_000].map(milliseconds),
            ["41ms", "3.1s", "26m 03s", "4h 10m"]
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([8_192, 32_505_856, 1_503_238_553].map(bytes), ["8 KiB", "31 MiB", "1.4 GiB"]);
        assert_eq!(percent(999, 1000), "99 %");
        assert_eq!(counted(1, "index", "indexes"), "1 index");
    }
}
