//! docs/messages.md, as `pgdeploy explain CODE` answers from it.

/// The page that lists every code.
const PAGE: &str = include_str!("../../../docs/messages.md");

/// What the page says of a code, such as `E104`; `None` where it is not on it.
pub(crate) fn explain(code: &str) -> Option<String> {
    let code = code.to_ascii_uppercase();
    let rows: Vec<String> = PAGE.lines().filter(|line| names(line, &code)).map(shown).collect();
    if rows.is_empty() { None } else { Some(rows.join("\n")) }
}

/// Whether a row's first cell is a code, a list of them, or a range such as `E230 to E239`.
fn names(line: &str, code: &str) -> bool {
    let Some(cell) = line.strip_prefix("| ").and_then(|rest| rest.split(" | ").next()) else { return false };
    cell.split(", ").any(|part| match part.split_once(" to ") {
        Some((first, last)) => code.len() == first.len() && (first..=last).contains(&code),
        None => part == code,
    })
}

/// A row as lines: the codes with their meaning, and what to do.
fn shown(line: &str) -> String {
    let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
    let mut text = cells.by_ref().take(2).collect::<Vec<_>>().join("  ");
    if let Some(next) = cells.next().filter(|next| !next.is_empty()) {
        text.push_str(&format!("\n      what to do: {next}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn codes_are_found_alone_in_lists_and_in_ranges() {
        let alone = explain("e104").unwrap();
        assert!(alone.starts_with("E104  ") && alone.contains("what to do: "), "{alone}");
        assert!(explain("E202").unwrap().contains("E201, E202"));
        assert!(explain("E233").unwrap().contains("E230 to E239"));
        assert_eq!(explain("X999"), None);
        assert_eq!(explain("code"), None, "the head of a table is no code");
    }
}
