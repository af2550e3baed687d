//! How the walkers of a unit end, and what they have done together.

use crate::failure::Ended;
use crate::progress::Progress;

/// Why a walker stopped.
#[derive(Debug)]
pub(crate) enum Walked {
    /// No range is left to take.
    Through,
    /// There are more walkers than are wanted.
    Spare,
    /// Out of time, told to stop, held up.
    Ended(Ended),
    /// The table is stored anew.
    Rewritten,
    /// Some row has to be looked at by itself.
    AlongKey,
}

impl Walked {
    /// Which of several counts.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Walked::Through | Walked::Spare => 0,
            Walked::Ended(_) => 1,
            Walked::Rewritten => 2,
            Walked::AlongKey => 3,
        }
    }
}

/// What the walkers have done together.
pub(crate) struct Tally<'a> {
    pub(crate) progress: &'a mut Progress,
    pub(crate) rows: &'a mut u64,
    pub(crate) skipped: &'a mut u64,
}
