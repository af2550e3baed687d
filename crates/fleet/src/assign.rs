//! Every database gets its wave.

use crate::pattern::matches;
use crate::wave::Wave;

/// The wave of each name, as its place among the waves. In their order the waves take of what is left, each name in the
/// order of the fleet; the last one takes the rest, whatever it says itself.
pub fn assign(names: &[&str], waves: &[Wave]) -> Vec<usize> {
    let last = waves.len().saturating_sub(1);
    let mut taken = vec![last; names.len()];
    let mut is_free = vec![true; names.len()];
    for (place, wave) in waves.iter().enumerate().take(last) {
        let most = wave.take.map_or(usize::MAX, |take| take.rounded_up(names.len()));
        let wants =
            |name: &str| wave.matching.is_empty() || wave.matching.iter().any(|one| matches(one, name));
        let wanted = (0..names.len()).filter(|nth| is_free[*nth] && wants(names[*nth])).take(most);
        for nth in wanted.collect::<Vec<_>>() {
            taken[nth] = place;
            is_free[nth] = false;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::amount::Amount;

    fn wave(matching: &[&str], take: Option<Amount>) -> Wave {
        Wave {
            name: "w".into(),
            matching: matching.iter().map(ToString::to_string).collect(),
            take,
            max_parallel: 1,
            soak: Duration::ZERO,
            failure_budget: Amount::Number(0),
        }
    }

    #[test]
    fn waves_take_of_what_is_left_and_the_last_one_takes_the_rest() {
        let names = ["eu-1", "us-1", "eu-2", "us-2", "eu-3", "ap-1"];
        let canary = wave(&["us-*", "ap-*"], Some(Amount::Number(2)));
        let europe = wave(&["eu-*"], None);
        let rest = wave(&[], None);
        assert_eq!(assign(&names, &[canary, europe, rest.clone()]), [1, 0, 1, 0, 1, 2]);
        assert_eq!(assign(&names, &[rest]), [0; 6]);
    }

    #[test]
    fn a_share_is_one_of_the_whole_fleet() {
        let names: Vec<String> = (0..20).map(|nth| format!("db{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tenth = wave(&[], Some(Amount::Percent(10)));
        let found = assign(&names, &[tenth.clone(), tenth, wave(&[], None)]);
        assert_eq!([0, 1, 2].map(|wave| found.iter().filter(|one| **one == wave).count()), [2, 2, 16]);
        assert_eq!(found[..4], [0, 0, 1, 1]);
    }
}
