//! The head of `CREATE INDEX name ON table ...`, word by word: what follows it goes to the server as it is written.

use std::ops::Range;

/// A name or keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Folded to lower case, or what the double quotes hold.
    pub(crate) text: String,
    quoted: bool,
    /// Its bytes in the text.
    pub(crate) span: Range<usize>,
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

/// The parts of a head, with the offset at which the rest begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) unique: bool,
    /// `IF NOT EXISTS`.
    pub(crate) if_not_exists: Option<Range<usize>>,
    /// `None` where the statement leaves it to the server to find a name.
    pub(crate) name: Option<Word>,
    /// `ONLY`.
    pub(crate) only: Option<Range<usize>>,
    /// One to three names.
    pub(crate) table: Vec<Word>,
    /// The byte behind the table's name.
    pub(crate) tail: usize,
}

impl Head {
    /// Takes a statement that starts at a byte apart; `None` where it is written with what we do not read, such as
    /// names in Unicode escapes.
    pub(crate) fn of(text: &str, start: usize) -> Option<Self> {
        let mut cursor = Cursor { text, at: start };
        cursor.take("create")?;
        let unique = cursor.take("unique").is_some();
        cursor.take("index")?;
        cursor.take("concurrently");
        let mut if_not_exists = None;
        if let Some(first) = cursor.take("if") {
            cursor.take("not")?;
            if_not_exists = Some(first.start..cursor.take("exists")?.end);
        }
        let name = match cursor.peek()? {
            word if word.is("on") => None,
            word => {
                cursor.at = word.span.end;
                Some(word)
            }
        };
        cursor.take("on")?;
        let only = cursor.take("only");
        let table = match only {
            Some(_) => cursor.qualified().unwrap_or_default(),
            None => cursor.qualified()?,
        };
        Some(Self { unique, if_not_exists, name, only, table, tail: cursor.at })
    }
}

/// The names in `DROP INDEX [CONCURRENTLY] [IF EXISTS] [schema.]name`.
pub(crate) fn dropped(text: &str, start: usize) -> Option<Vec<Word>> {
    let mut cursor = Cursor { text, at: start };
    cursor.take("drop")?;
    cursor.take("index")?;
    cursor.take("concurrently");
    if cursor.take("if").is_some() {
        cursor.take("exists")?;
    }
    cursor.qualified()
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, keyword: &str) -> Option<Range<usize>> {
        let word = self.peek().filter(|word| word.is(keyword))?;
        self.at = word.span.end;
        Some(word.span)
    }

    fn qualified(&mut self) -> Option<Vec<Word>> {
        let mut names = Vec::new();
        loop {
            let word = self.peek()?;
            self.at = word.span.end;
            names.push(word);
            let dot = sql::skip_blanks(self.text, self.at);
            if !self.text[dot..].starts_with('.') {
                return Some(names);
            }
            self.at = dot + 1;
        }
    }

    /// The next word, without moving on.
    fn peek(&self) -> Option<Word> {
        let start = sql::skip_blanks(self.text, self.at);
        let rest = &self.text[start..];
        if let Some(inner) = rest.strip_prefix('"') {
            let mut end = 0;
            loop {
                end += inner[end..].find('"')?;
                if !inner[end + 1..].starts_with('"') {
                    break;
                }
                end += 2;
            }
            let text = inner[..end].replace("\"\"", "\"");
            return Some(Word { text, quoted: true, span: start..start + end + 2 });
        }
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        if length == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) || rest[length..].starts_with("&\"")
        {
            return None;
        }
        let text = rest[..length].to_ascii_lowercase();
        Some(Word { text, quoted: false, span: start..start + length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let text = "Create /* a /* b */ */ Unique Index -- c\n \"A \"\"b\"\" on\" on Audit . \"T\" (x)";
        let head = Head::of(text, 0).unwrap();
        let table: Vec<_> = head.table.iter().map(|word| word.text.as_str()).collect();
        assert_eq!((head.name.unwrap().text.as_str(), table), ("A \"b\" on", vec!["audit", "T"]));
        assert_eq!((head.unique, &text[head.tail..]), (true, " (x)"));
    }

    #[test]
    fn a_missing_name_and_the_forms_that_are_refused_are_seen() {
        let head = Head::of("create index concurrently if not exists i on only t (x)", 0).unwrap();
        assert!(head.if_not_exists.is_some() && head.only.is_some());
        assert_eq!(Head::of("create index on t (x)", 0).unwrap().name, None);
        assert_eq!(Head::of("create index U&\"a\" on t (x)", 0), None);
        assert_eq!(dropped("drop index concurrently if exists s.i", 0).unwrap().len(), 2);
    }
}
