//! What stands between tokens: blanks and comments.

/// The offset of the next token at or behind `at`: blanks, `--` comments and block comments, which nest in PostgreSQL,
/// are skipped.
pub fn skip_blanks(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += block_comment(rest);
        } else {
            return at;
        }
    }
}

/// The length of the block comment at the start of a text.
fn block_comment(text: &str) -> usize {
    let (bytes, mut depth, mut at) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_unclosed_comments_are_skipped() {
        assert_eq!(skip_blanks(" -- a\n /* b /* c */ */ x", 0), 23);
        assert_eq!(skip_blanks("x /* open", 1), 9);
        assert_eq!(skip_blanks("x", 0), 0);
    }
}
