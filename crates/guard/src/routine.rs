//! What a function or procedure does when it is called, from its definition.

use sql::NodeEnum;
use sql::ast::CreateFunctionStmt;

use crate::act::{Act, Origin, Via};
use crate::call::Call;
use crate::expand::Expansion;
use crate::name::word;
use crate::tree::Tree;
use crate::write::Write;
use crate::{call, words, write};

/// What is known of a routine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routine {
    /// The row changes in its body.
    pub(crate) writes: Vec<Write>,
    /// What its body calls.
    pub(crate) calls: Vec<Call>,
    /// Why its body cannot be told.
    pub(crate) unproven: Option<String>,
    /// Whether it runs a text that may be one of its arguments.
    pub(crate) runs_texts: bool,
}

impl Routine {
    /// `definition` is the whole `CREATE FUNCTION` as text, for PL/pgSQL's parser.
    pub(crate) fn of(function: &CreateFunctionStmt, definition: &str) -> Self {
        let mut routine = Self::default();
        let (mut language, mut body) = ("sql", None);
        for option in &function.options {
            let Some(NodeEnum::DefElem(element)) = &option.node else { continue };
            let argument = element.arg.as_ref().and_then(|argument| argument.node.as_ref());
            match (element.defname.as_str(), argument) {
                ("language", Some(NodeEnum::String(text))) => language = &text.sval,
                ("as", Some(NodeEnum::List(list))) => body = list.items.first().and_then(word),
                _ => {}
            }
        }
        if let Some(body) = &function.sql_body {
            let tree = Tree::of(body);
            // BEGIN ATOMIC is a list of statements in a list.
            routine.writes = write::of(&tree);
            routine.calls = call::of(&tree);
            for list in tree.list().iter().flat_map(|inner| match inner {
                Tree::List(items) => items.iter().collect(),
                other => vec![other],
            }) {
                routine.writes.extend(write::of(list));
                routine.calls.extend(call::of(list));
            }
            return routine;
        }
        let body = body.unwrap_or("");
        match language.to_lowercase().as_str() {
            "sql" => match Expansion::of_text(body, &nowhere()) {
                Some(acts) => routine.take_in(acts),
                None => routine.writes = words::writes(body),
            },
            "plpgsql" => routine.plpgsql(body, definition),
            "c" | "internal" => routine.unproven = Some("it is written in C".into()),
            _ => {
                routine.writes = words::writes(&words::quoted_texts(body));
                routine.unproven = Some("it is written in a language that is not read here".into());
            }
        }
        routine
    }

    /// What another routine of the same name does.
    pub(crate) fn add(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.calls.extend(other.calls);
        self.unproven = self.unproven.take().or(other.unproven);
        self.runs_texts |= other.runs_texts;
    }

    fn plpgsql(&mut self, body: &str, definition: &str) {
        // pg_query 18.1 returns broken JSON for trigger functions, and some bodies do not compile by themselves.
        match pg_query::parse_plpgsql(definition).ok() {
            Some(parsed) => {
                let mut expansion = Expansion::new(None);
                crate::block::walk(&mut expansion, &parsed, body, &nowhere());
                self.take_in(expansion.acts);
            }
            None => {
                self.writes = words::writes(body);
                self.runs_texts = body.to_lowercase().contains("execute");
                self.calls = called_words(body);
            }
        }
    }

    fn take_in(&mut self, acts: Vec<Act>) {
        for act in acts {
            self.writes.extend(act.writes);
            self.calls.extend(act.calls);
            if let Some(why) = act.unproven {
                self.runs_texts = true;
                self.unproven = Some(why);
            }
        }
    }
}

fn nowhere() -> Origin {
    Origin { span: 0..0, statement: 0, via: vec![Via::Do] }
}

/// Every `name (` of a body, as calls without arguments.
fn called_words(body: &str) -> Vec<Call> {
    let Ok(scanned) = pg_query::scan(body) else { return Vec::new() };
    let text = |at: usize| {
        let token = scanned.tokens.get(at)?;
        body.get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?)
    };
    let mut calls = Vec::new();
    for at in 1..scanned.tokens.len() {
        let name = text(at - 1).unwrap_or("").trim_matches('"').to_lowercase();
        let is_name = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if text(at) == Some("(") && is_name {
            let name = crate::name::Name::plain(&name);
            calls.push(Call { name, texts: Vec::new(), procedure: false, reads: false });
        }
    }
    calls
}
