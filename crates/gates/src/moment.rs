//! Moments as people read them.

use jiff::Timestamp;

/// `2026-11-23 07:00:00 UTC`, which means the same to everybody.
pub fn shown(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment in seconds from another, never less than none, as `1day 2h 3s`.
pub(crate) fn apart(later: Timestamp, earlier: Timestamp) -> String {
    let seconds = later.duration_since(earlier).as_secs().max(0).unsigned_abs();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}
