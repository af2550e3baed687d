//! Where something stands in a text, as a person counts: lines and characters from 1.

/// A position in a text. Columns count characters, not bytes, as PostgreSQL's own error positions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

/// The place of a byte offset; an offset beyond the end is the end.
pub fn place(text: &str, offset: usize) -> Place {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// The byte offset of the `nth` character (from 1), the form in which the server and the grammar report positions.
pub(crate) fn offset_of_character(text: &str, nth: usize) -> usize {
    text.char_indices().nth(nth.saturating_sub(1)).map_or(text.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = "select 1;\n  'é' x";
        assert_eq!(place(text, text.len() - 1), Place { line: 2, column: 7 });
        assert_eq!(offset_of_character("éa", 2), 2);
        assert_eq!(place("", 10), Place { line: 1, column: 1 });
    }
}
