//! The texts that an expression may yield, from its literals.

use crate::tree::Tree;
use crate::variables::Variables;

/// Stands for a part of a text that is not known.
pub(crate) const HOLE: char = '\u{1}';

/// More texts than this are not told apart: the rest is a hole.
const MOST_TEXTS: usize = 32;
const LONGEST_TEXT: usize = 256 * 1024;
const DEEPEST: usize = 8;

/// All texts that `expression` may yield, parts that are not known as [`HOLE`].
pub(crate) fn texts(expression: &Tree, variables: &Variables) -> Vec<String> {
    Fold { variables, open: Vec::new() }.of(expression)
}

struct Fold<'v> {
    variables: &'v Variables,
    /// Variables that are being looked up, so that `v := v || 'x'` ends.
    open: Vec<String>,
}

fn hole() -> Vec<String> {
    vec![HOLE.to_string()]
}

impl Fold<'_> {
    fn of(&mut self, tree: &Tree) -> Vec<String> {
        if let Some(text) = tree.string() {
            return vec![text.to_owned()];
        }
        match tree.kind() {
            "AConst" => match tree.get("val") {
                Tree::Struct("Integer", _) => vec![tree.get("val").get("ival").number().to_string()],
                Tree::Nothing if !tree.get("isnull").is_nothing() => vec![String::new()],
                _ => hole(),
            },
            "TypeCast" | "CollateClause" => self.of(tree.get("arg")),
            "AExpr" if tree.get("name").qualified().name == "||" => {
                let parts = [self.of(tree.get("lexpr")), self.of(tree.get("rexpr"))];
                joined(&parts, "")
            }
            "CaseExpr" => {
                let mut all: Vec<String> = Vec::new();
                for when in tree.get("args").list() {
                    all.extend(self.of(when.get("result")));
                }
                all.extend(self.of(tree.get("defresult")));
                capped(all)
            }
            "CoalesceExpr" => capped(tree.get("args").list().iter().flat_map(|each| self.of(each)).collect()),
            "SubLink" => match tree.get("subselect").get("target_list").list().first() {
                Some(target) => self.of(target.get("val")),
                None => hole(),
            },
            "ColumnRef" => self.variable(tree.get("fields")),
            "FuncCall" => self.call(tree),
            _ => hole(),
        }
    }

    fn variable(&mut self, fields: &Tree) -> Vec<String> {
        let parts: Vec<&str> = fields.list().iter().filter_map(Tree::string).collect();
        let name = parts.join(".").to_lowercase();
        let values = self.variables.values(&name);
        if values.is_empty() || self.open.len() > DEEPEST || self.open.contains(&name) {
            return hole();
        }
        let itself = |value: &Tree| {
            value.any(|part| part.kind() == "ColumnRef" && part.get("fields").qualified().name == name)
        };
        let (appended, plain): (Vec<&Tree>, Vec<&Tree>) = values.iter().partition(|value| itself(value));
        self.open.push(name.clone());
        let mut all: Vec<String> = plain.iter().flat_map(|value| self.of(value)).collect();
        self.open.pop();
        // `v := v || ..`: what it started as, then what is added to it, in order.
        for value in appended {
            let starts = if all.is_empty() { hole() } else { all.clone() };
            self.open.push(name.clone());
            let added = self.of(value);
            self.open.pop();
            for start in &starts {
                all.extend(added.iter().map(|text| text.replacen(HOLE, start, 1)));
            }
            all = capped(all);
        }
        capped(all)
    }

    fn call(&mut self, tree: &Tree) -> Vec<String> {
        let name = tree.get("funcname").qualified().name;
        let arguments: Vec<Vec<String>> = match tree.get("args").list() {
            [array] if name == "array_to_string" || array.kind() == "AArrayExpr" => {
                array.get("elements").list().iter().map(|each| self.of(each)).collect()
            }
            list => list.iter().map(|each| self.of(each)).collect(),
        };
        let single = |change: fn(&str) -> String| match arguments.first() {
            Some(texts) => texts.iter().map(|text| change(text)).collect(),
            None => hole(),
        };
        match name.as_str() {
            "format" => format(&arguments),
            "concat" => joined(&arguments, ""),
            "concat_ws" => match arguments.split_first() {
                Some((separators, rest)) => joined(rest, separators.first().map_or("", String::as_str)),
                None => hole(),
            },
            "array_to_string" => match tree.get("args").list() {
                [array, separator, ..] if array.kind() == "AArrayExpr" => {
                    let elements: Vec<_> = array.get("elements").list().iter().map(|e| self.of(e)).collect();
                    joined(&elements, separator.string().unwrap_or(" "))
                }
                _ => hole(),
            },
            "quote_ident" => single(identifier),
            "quote_literal" | "quote_nullable" => single(literal),
            "upper" => single(str::to_uppercase),
            "lower" => single(str::to_lowercase),
            "btrim" | "trim" | "ltrim" | "rtrim" => single(|text| text.trim().to_owned()),
            "reverse" => single(|text| text.chars().rev().collect()),
            "chr" => single(|text| match text.parse().ok().and_then(char::from_u32) {
                Some(char) => char.to_string(),
                None => HOLE.to_string(),
            }),
            "replace" => match arguments.as_slice() {
                [texts, from, to] => match (from.as_slice(), to.as_slice()) {
                    ([from], [to]) if !from.is_empty() && !from.contains(HOLE) => {
                        texts.iter().map(|text| text.replace(from.as_str(), to)).collect()
                    }
                    _ => hole(),
                },
                _ => hole(),
            },
            "convert_from" => arguments.into_iter().next().unwrap_or_else(hole),
            "decode" => {
                match (arguments.first(), arguments.get(1).and_then(|f| f.first()).map(String::as_str)) {
                    (Some(texts), Some("hex")) => texts.iter().map(|text| unhex(text)).collect(),
                    _ => hole(),
                }
            }
            "string_agg" => arguments.into_iter().next().unwrap_or_else(hole),
            _ => hole(),
        }
    }
}

fn unhex(text: &str) -> String {
    let bytes: Option<Vec<u8>> =
        (0..text.len() / 2).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| HOLE.to_string())
}

fn capped(mut all: Vec<String>) -> Vec<String> {
    if all.len() > MOST_TEXTS {
        all.truncate(MOST_TEXTS);
        all.push(HOLE.to_string());
    }
    for text in &mut all {
        if text.len() > LONGEST_TEXT {
            *text = HOLE.to_string();
        }
    }
    if all.is_empty() { hole() } else { all }
}

/// Every combination, one of each part.
fn joined(parts: &[Vec<String>], separator: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for (at, part) in parts.iter().enumerate() {
        let between = if at > 0 { separator } else { "" };
        let longer =
            |start: &String| part.iter().map(|text| format!("{start}{between}{text}")).collect::<Vec<_>>();
        all = capped(all.iter().flat_map(longer).collect());
    }
    all
}

fn identifier(text: &str) -> String {
    if text.contains(HOLE) { crate::dynamic::UNKNOWN.to_owned() } else { sql::identifier(text) }
}

fn literal(text: &str) -> String {
    if text.contains(HOLE) { format!("'{}'", crate::dynamic::UNKNOWN) } else { sql::literal(text) }
}

/// `format()` (String Functions, section 9.4.1).
fn format(arguments: &[Vec<String>]) -> Vec<String> {
    let Some((templates, arguments)) = arguments.split_first() else { return hole() };
    let mut all = Vec::new();
    for template in templates {
        let mut parts: Vec<Vec<String>> = Vec::new();
        let (mut rest, mut next) = (template.as_str(), 0);
        while let Some(at) = rest.find('%') {
            parts.push(vec![rest[..at].to_owned()]);
            let after = &rest[at + 1..];
            let letter = after.find(|c: char| !(c.is_ascii_digit() || matches!(c, '$' | '-' | '*')));
            let Some(letter) = letter else { break };
            let (position, kind) = (&after[..letter], after[letter..].chars().next().unwrap_or('%'));
            rest = &after[letter + kind.len_utf8()..];
            if kind == '%' {
                parts.push(vec!["%".into()]);
                continue;
            }
            if let Some(written) = position.split('$').next().and_then(|n| n.parse::<usize>().ok())
                && position.contains('$')
            {
                next = written.saturating_sub(1);
            }
            let texts = arguments.get(next).cloned().unwrap_or_else(hole);
            next += 1;
            parts.push(match kind {
                'I' => texts.iter().map(|text| identifier(text)).collect(),
                'L' => texts.iter().map(|text| literal(text)).collect(),
                _ => texts,
            });
        }
        parts.push(vec![rest.to_owned()]);
        all.extend(joined(&parts, ""));
    }
    capped(all)
}
