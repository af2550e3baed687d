//! So many databases, or a share of them.

/// How many of a number of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Number(usize),
    /// Such a share, in percent.
    Percent(usize),
}

impl Amount {
    /// How many to take: a share of some is at least one.
    pub fn rounded_up(self, of: usize) -> usize {
        match self {
            Amount::Number(number) => number.min(of),
            Amount::Percent(share) => (of * share.min(100)).div_ceil(100),
        }
    }

    /// How many may fail: a share of a few is none.
    pub fn rounded_down(self, of: usize) -> usize {
        match self {
            Amount::Number(number) => number,
            Amount::Percent(share) => of * share.min(100) / 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_takes_at_least_one_and_lets_none_fail_of_a_few() {
        assert_eq!(Amount::Percent(10).rounded_up(3), 1);
        assert_eq!(Amount::Percent(10).rounded_down(3), 0);
        assert_eq!(Amount::Percent(10).rounded_up(200), 20);
        assert_eq!(Amount::Percent(100).rounded_up(7), 7);
        assert_eq!(Amount::Number(5).rounded_up(3), 3);
        assert_eq!(Amount::Number(5).rounded_down(3), 5);
        assert_eq!(Amount::Percent(10).rounded_up(0), 0);
    }
}
