//! What the value of a query has to be: `> 0`, `= ready`; without one, true.

use std::cmp::Ordering;
use std::fmt;

/// A comparison with a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// The longer ones first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::NotEqual),
    (">", Operator::More),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

impl Expectation {
    /// Reads `> 0`; a value without an operator is one to be equal to. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (operator, value) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?.trim())))
            .unwrap_or((Operator::Equal, text));
        let orders = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if value.is_empty() && orders {
            return Err("there is no value behind the comparison".into());
        }
        if orders && number(value).is_none() {
            return Err(format!("`{value}` is not a number, and only numbers are more or less"));
        }
        Ok(Self { operator, value: value.to_owned() })
    }

    /// Whether a value, as the server writes it, is as expected. NULL never is.
    pub fn is_met_by(&self, found: Option<&str>) -> bool {
        let Some(found) = found else { return false };
        let ordering = match (number(found), number(&self.value)) {
            (Some(found), Some(value)) => found.partial_cmp(&value),
            _ if found == self.value => Some(Ordering::Equal),
            _ => None,
        };
        match self.operator {
            Operator::Equal => ordering == Some(Ordering::Equal),
            Operator::NotEqual => ordering != Some(Ordering::Equal),
            Operator::Less => ordering == Some(Ordering::Less),
            Operator::AtMost => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Operator::More => ordering == Some(Ordering::Greater),
            Operator::AtLeast => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// Without one, the value of a query has to be true.
impl Default for Expectation {
    fn default() -> Self {
        Self { operator: Operator::Equal, value: "true".into() }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS.iter().find(|(_, operator)| *operator == self.operator).map(|(sign, _)| *sign);
        write!(out, "{} {}", sign.unwrap_or_default(), self.value)
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expected: &str, found: &str) -> bool {
        Expectation::parse(expected).unwrap().is_met_by(Some(found))
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_everything_else_as_text() {
        assert!(met("> 0", "10") && met(">= 10", "10.0") && met("< 10", "9") && !met("> 0", "0"));
        assert!(met("= ready", "ready") && met("ready", "ready") && met("!= ready", "starting"));
        assert!(met("12", "12") && met("!= 12", "13") && !met("> 0", "many"));
        assert!(Expectation::default().is_met_by(Some("true")));
        assert!(!Expectation::default().is_met_by(None), "NULL is not true");
    }

    #[test]
    fn more_and_less_need_a_number() {
        assert!(Expectation::parse("> ").is_err());
        assert!(Expectation::parse(">= some").is_err());
    }
}
