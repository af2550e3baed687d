//! Turns raw values into what they mean, and collects what is wrong with them.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::duration::{self, Written};
use crate::limit::Limit;
use crate::problem::{Error, MAX_PROBLEMS, Problem};
use crate::reference::{NotSet, Template};
use crate::secrets::Secrets;
use crate::shape::nearest;
use crate::text::Document;

/// Where the values of variables come from.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One pass over the raw values. Without `variables` references stay as they are written, and no file or command
/// is asked for a URL: this is how a file is checked as a whole.
pub(crate) struct Reading<'a> {
    pub(crate) document: &'a Document,
    pub(crate) variables: Option<Variables<'a>>,
    /// What came out of references so far.
    pub(crate) secrets: Secrets,
    /// The variables referred to so far.
    pub(crate) seen: Vec<Seen>,
    problems: Vec<Problem>,
}

/// A variable that something refers to.
pub(crate) struct Seen {
    pub(crate) name: String,
    /// Whether every reference to it has a default.
    pub(crate) has_default: bool,
}

impl Seen {
    pub(crate) fn add(seen: &mut Vec<Self>, template: &Template) {
        for (name, has_default) in template.references() {
            match seen.iter_mut().find(|one| one.name == name) {
                Some(one) => one.has_default &= has_default,
                None => seen.push(Self { name: name.to_owned(), has_default }),
            }
        }
    }
}

impl<'a> Reading<'a> {
    pub(crate) fn new(document: &'a Document, variables: Option<Variables<'a>>) -> Self {
        Self { document, variables, secrets: Secrets::default(), seen: Vec::new(), problems: Vec::new() }
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// The value, if nothing was wrong with it.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Error> {
        if self.problems.is_empty() { Ok(value) } else { Err(Error::new(self.problems)) }
    }

    pub(crate) fn refuse(
        &mut self,
        code: &'static str,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = self.document.problem(code, span, message).help(help);
        // Environments share the settings of the pipeline, and so what is wrong with them.
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A duration within its bounds, or the default.
    pub(crate) fn duration(&mut self, written: Option<&At<Written>>, limit: &Limit<Duration>) -> Duration {
        let Some(written) = written else { return limit.default };
        match duration::parse(&written.value.0) {
            Ok(found) if found < limit.least || found > limit.most => {
                let text = written.value.0.trim();
                let side = if found < limit.least { "short" } else { "long" };
                let (least, most) = (show(limit.least), show(limit.most));
                let help = format!("at least {least}, at most {most}");
                self.refuse(code::OUT_OF_BOUNDS, written.span(), format!("{text} is too {side}"), help);
                limit.default
            }
            Ok(found) => found,
            Err((message, help)) => {
                self.refuse(code::BAD_DURATION, written.span(), message, help);
                limit.default
            }
        }
    }

    /// A number within its bounds, or the default.
    pub(crate) fn number(&mut self, written: Option<&At<u64>>, limit: &Limit<u64>) -> u64 {
        let Some(written) = written else { return limit.default };
        if (limit.least..=limit.most).contains(&written.value) {
            return written.value;
        }
        let help = format!("at least {}, at most {}", limit.least, limit.most);
        let message = format!("{} is out of bounds", written.value);
        self.refuse(code::OUT_OF_BOUNDS, written.span(), message, help);
        limit.default
    }

    /// One of a few words; the first is the default.
    pub(crate) fn choice<T: Copy>(&mut self, written: Option<&At<String>>, choices: &[(&str, T)]) -> T {
        let default = choices[0].1;
        let Some(written) = written else { return default };
        if let Some((_, found)) = choices.iter().find(|(word, _)| *word == written.value) {
            return *found;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let help = match nearest(&written.value, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", words.join(" or ")),
        };
        let message = format!("`{}` is not allowed", written.value);
        self.refuse(code::BAD_VALUE, written.span(), message, help);
        default
    }

    /// A path below the pipeline's directory: its files are hashed under their relative names.
    pub(crate) fn path(&mut self, written: Option<&At<String>>, default: &str) -> PathBuf {
        let Some(written) = written else { return default.into() };
        let Some(text) = self.resolve(written) else { return default.into() };
        let path = PathBuf::from(&text);
        // As long as it is not resolved, a leading reference can stand for anything.
        let below = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if text.is_empty() || path == Path::new(".") || !below {
            let help = "a path is relative to the directory of pipeline.yaml and stays below it";
            self.refuse(code::BAD_VALUE, written.span(), format!("the path `{text}` is not allowed"), help);
        }
        path
    }

    /// A text with its references resolved; `None` where that failed.
    pub(crate) fn resolve(&mut self, written: &At<String>) -> Option<String> {
        let template = self.template(written)?;
        Seen::add(&mut self.seen, &template);
        let Some(variables) = self.variables else { return Some(written.value.clone()) };
        template.variables().filter_map(variables).for_each(|value| self.secrets.add(&value));
        match template.resolve(variables) {
            Ok(text) => Some(text),
            Err(missing) => {
                for NotSet { name, message } in missing {
                    let span = self.within(written, &format!("${{{name}"), '}');
                    let message = message.map_or(String::new(), |message| format!(": {message}"));
                    let help = format!("set it for this command: `export {name}=...`");
                    self.refuse(code::VARIABLE_NOT_SET, span, format!("`{name}` is not set{message}"), help);
                }
                None
            }
        }
    }

    /// A text taken apart at its references.
    pub(crate) fn template(&mut self, written: &At<String>) -> Option<Template> {
        Template::parse(&written.value)
            .map_err(|(_, message)| {
                let span = self.within(written, "$", '}');
                self.refuse(
                    code::BAD_REFERENCE,
                    span,
                    format!("not a reference: {message}"),
                    "the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}",
                );
            })
            .ok()
    }

    /// The bytes from a mark within a value to an end, or all of the value.
    pub(crate) fn within(&self, written: &At<String>, mark: &str, end: char) -> Range<usize> {
        let text = &self.document.text[written.span()];
        let Some(start) = text.find(mark) else { return written.span() };
        let length = text[start..].find(end).map_or(mark.len(), |found| found + end.len_utf8());
        written.start + start..written.start + start + length
    }
}

fn show(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace("days", "d").replace("day", "d")
}
