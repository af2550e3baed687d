//! Where a text holds a secret, as it is or as programs spell it: escaped in JSON, percent-encoded in a URL.

use std::ops::Range;

/// Every place, overlapping ones among them.
pub(crate) fn places(text: &str, secret: &str) -> Vec<Range<usize>> {
    let Some(first) = secret.chars().next() else { return Vec::new() };
    let may_begin = |one: char| one == first || matches!(one, '\\' | '%' | '+');
    let starts = text.char_indices().filter(|(_, one)| may_begin(*one)).map(|(start, _)| start);
    starts.filter_map(|start| Some(start..end(text, start, secret)?)).collect()
}

/// Where the longest spelling of the secret that begins at a place ends.
fn end(text: &str, start: usize, secret: &str) -> Option<usize> {
    // A backslash may be one that is meant or one that escapes: all ways of reading are followed at once.
    let mut ends = vec![start];
    for wanted in secret.chars() {
        let mut next: Vec<usize> = Vec::new();
        for at in ends {
            for length in lengths(&text[at..], wanted) {
                if !next.contains(&(at + length)) {
                    next.push(at + length);
                }
            }
        }
        if next.is_empty() {
            return None;
        }
        ends = next;
    }
    ends.into_iter().max()
}

/// The lengths of the spellings of a character with which a text begins.
fn lengths(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let plain = text.starts_with(wanted).then_some(wanted.len_utf8());
    let short = text.strip_prefix('\\').and_then(|rest| {
        let escaped = match wanted {
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            other => other,
        };
        let stands = escaped != wanted || wanted.is_ascii_punctuation();
        (stands && rest.starts_with(escaped)).then_some(1 + escaped.len_utf8())
    });
    let space = (wanted == ' ' && text.starts_with('+')).then_some(1);
    plain.into_iter().chain(short).chain(space).chain(unicode(text, wanted)).chain(percent(text, wanted))
}

/// `\u00e9`, in two of them where one cannot hold it.
fn unicode(text: &str, wanted: char) -> Option<usize> {
    let mut units = [0; 2];
    let mut rest = text;
    for unit in wanted.encode_utf16(&mut units) {
        rest = rest.strip_prefix("\\u")?;
        (u16::from_str_radix(rest.get(..4)?, 16).ok()? == *unit).then_some(())?;
        rest = &rest[4..];
    }
    Some(text.len() - rest.len())
}

/// `%C3%A9`.
fn percent(text: &str, wanted: char) -> Option<usize> {
    let mut bytes = [0; 4];
    let mut rest = text;
    for byte in wanted.encode_utf8(&mut bytes).bytes() {
        rest = rest.strip_prefix('%')?;
        (u8::from_str_radix(rest.get(..2)?, 16).ok()? == byte).then_some(())?;
        rest = &rest[2..];
    }
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(text: &str, secret: &str) -> bool {
        places(text, secret).contains(&(0..text.len()))
    }

    #[test]
    fn a_secret_is_found_as_it_is_in_json_of_any_program_and_in_a_url() {
        let secret = "p@ss w\"ord\\'%x/<é🔑\n";
        for spelled in [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
            // Python, Go and PHP.
            "p@ss w\\\"ord\\\\'%x/<\\u00e9\\ud83d\\udd11\\n".to_owned(),
            "p@ss w\\\"ord\\\\'%x/\\u003cé🔑\\n".to_owned(),
            "p@ss w\\\"ord\\\\'%x\\/<\\u00E9\\uD83D\\uDD11\\n".to_owned(),
            "p%40ss%20w%22ord%5C%27%25x%2F%3C%C3%A9%F0%9F%94%91%0A".to_owned(),
            "p%40ss+w%22ord%5c%27%25x%2f%3c%c3%a9%f0%9f%94%91%0a".to_owned(),
        ] {
            assert!(is_found(&spelled, secret), "{spelled}");
        }
        for other in ["p@ss w", "p@ss w\"ord\\'%x/<e🔑\n", "", "%", "\\", "\\u", "%é", "\\ué000"] {
            assert_eq!(places(other, secret), [], "{other}");
        }
    }

    #[test]
    fn backslashes_are_read_every_way_in_which_they_may_be_meant() {
        let secret = "\\".repeat(24) + "a";
        assert!(is_found(&secret, &secret));
        assert!(is_found(&("\\".repeat(48) + "a"), &secret));
        assert_eq!(places(&"\\".repeat(48), &secret), []);
    }

    proptest::proptest! {
        #[test]
        fn whatever_serde_json_writes_is_found(secret in "\\PC{1,12}", before in "\\PC{0,5}") {
            let json = serde_json::to_string(&secret).unwrap();
            let json = &json[1..json.len() - 1];
            let text = format!("{before}{json}");
            proptest::prop_assert!(places(&text, &secret).iter().any(|range| range.end == text.len()));
        }
    }
}
