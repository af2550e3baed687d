//! Row changes in a text that the grammar does not accept: by the words that PostgreSQL's own scanner finds.

use pg_query::protobuf::{KeywordKind, Token};

use crate::name::Name;
use crate::write::{Bound, Change, Write};

/// One word of a text: upper case for what may be a keyword, and where it starts.
struct Word<'t> {
    text: &'t str,
    bare: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let Ok(scanned) = pg_query::scan(text) else { return loose(text) };
    let tokens = scanned.tokens.iter().filter_map(|token| {
        if matches!(token.token(), Token::SqlComment | Token::CComment) {
            return None;
        }
        let range = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
        let bare = token.token() == Token::Ident || token.keyword_kind() != KeywordKind::NoKeyword;
        let text = text.get(range)?;
        Some(Word { text, bare: bare && !text.starts_with('"') })
    });
    tokens.collect()
}

/// For what even the scanner refuses, such as an unterminated string.
fn loose(text: &str) -> Vec<Word<'_>> {
    let split = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ';')));
    split.filter(|word| !word.is_empty()).map(|text| Word { text, bare: true }).collect()
}

/// The row changes that a text's words show.
pub(crate) fn writes(text: &str) -> Vec<Write> {
    of_words(&words(text))
}

/// The same for a text in another language, in whose strings the statements stand.
pub(crate) fn writes_loosely(text: &str) -> Vec<Write> {
    of_words(&loose(text))
}

fn of_words(words: &[Word<'_>]) -> Vec<Write> {
    let is = |at: usize, word: &str| {
        words.get(at).is_some_and(|found: &Word<'_>| found.bare && found.text.eq_ignore_ascii_case(word))
    };
    let mut writes = Vec::new();
    for at in 0..words.len() {
        let follows = |word: &str| (at + 1..words.len().min(at + 12)).any(|next| is(next, word));
        let before = at.checked_sub(1);
        let after = |word: &str| before.is_some_and(|before| is(before, word));
        let (change, name) = if is(at, "insert") && is(at + 1, "into") {
            let rows = (at + 2..words.len()).find(|next| is(*next, "values") || is(*next, "select"));
            let values = rows.is_some_and(|next| is(next, "values"));
            (if values { Change::InsertValues(1) } else { Change::InsertSelect }, at + 2)
        } else if is(at, "delete") && is(at + 1, "from") {
            (Change::Delete, at + 2 + usize::from(is(at + 2, "only")))
        } else if is(at, "update")
            && !after("for")
            && !after("on")
            && !after("do")
            && !after("key")
            && follows("set")
        {
            (Change::Update, at + 1 + usize::from(is(at + 1, "only")))
        } else if is(at, "merge") && is(at + 1, "into") {
            (Change::Merge, at + 2)
        } else if is(at, "truncate") && !after("or") && !after("before") && !after("after") {
            (Change::Truncate, at + 1 + usize::from(is(at + 1, "table")))
        } else {
            continue;
        };
        let table = words.get(name).map(|word| Name::plain(&word.text.trim_matches('"').to_lowercase()));
        let bounded =
            (at + 1..words.len()).take_while(|next| words[*next].text != ";").any(|next| is(next, "where"));
        let bound = match change {
            Change::InsertValues(_) => Bound::Key,
            _ if bounded => Bound::Condition,
            _ => Bound::All,
        };
        writes.push(Write { change, table, bound, upsert: false, nested: false });
    }
    writes
}

/// The first word of a text, in lower case.
pub(crate) fn first(text: &str) -> String {
    words(text).first().map(|word| word.text.to_lowercase()).unwrap_or_default()
}

/// What stands in the quotes of a program's text, for languages that send SQL as strings.
pub(crate) fn quoted_texts(program: &str) -> String {
    let mut texts = String::new();
    let mut rest = program;
    while let Some(start) = rest.find(['\'', '"', '`']) {
        let quote = if rest[start..].starts_with("\"\"\"") || rest[start..].starts_with("'''") {
            &rest[start..start + 3]
        } else {
            &rest[start..start + 1]
        };
        let inner = &rest[start + quote.len()..];
        let Some(end) = inner.find(quote) else { break };
        texts.push_str(&inner[..end]);
        texts.push_str(" ;\n");
        rest = &inner[end + quote.len()..];
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbs(text: &str) -> Vec<&'static str> {
        writes(text).iter().map(|write| write.change.verb()).collect()
    }

    #[test]
    fn words_in_comments_and_strings_do_not_count() {
        assert_eq!(verbs("begin /* delete from t */ x := 'update t set a'; -- insert into t\n end"), [""; 0]);
        assert_eq!(verbs("then update only t as u set a = 1; delete from t"), ["UPDATE", "DELETE"]);
        assert_eq!(
            verbs("select 1 for update; on delete set null; on conflict do update set a = 1"),
            [""; 0]
        );
        assert_eq!(verbs(&quoted_texts("plpy.execute(\"UPDATE t SET a = 1\")")), ["UPDATE"]);
    }
}
