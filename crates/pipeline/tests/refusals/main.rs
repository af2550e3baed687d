//! What people read where pipeline.yaml is wrong.

#![allow(clippy::unwrap_used)]

mod environments;
mod files;
mod fleets;
mod gates;
mod keys;
mod surroundings;
mod values;

use std::path::Path;

use pgdeploy_pipeline as pipeline;

/// A valid rest, in case only one thing should be wrong.
const REST: &str = "version: 1\nname: crm\nenvironments:\n  dev: { database: embedded }\n";

/// Everything a person is told: code, place, message, the marked text, help.
fn told(text: &str) -> String {
    let error = pipeline::parse(text, Path::new("pipeline.yaml")).unwrap_err();
    let mut told = String::new();
    for problem in &error.problems {
        told += &format!("{problem}\n");
        if let Some(span) = &problem.span {
            let line = problem.text.lines().nth(problem.line().unwrap() - 1).unwrap_or_default();
            let marked = problem.text[span.clone()].lines().next().unwrap_or_default().chars().count().max(1);
            told += &format!(
                "  | {line}\n  | {}{}\n",
                " ".repeat(problem.column().unwrap() - 1),
                "^".repeat(marked)
            );
        }
        if let Some(help) = &problem.help {
            told += &format!("  help: {help}\n");
        }
    }
    told.replace('\0', "\u{2400}")
}

fn with(more: &str) -> String {
    told(&format!("{REST}{more}\n"))
}

#[track_caller]
fn accepts(more: &str) {
    let read = pipeline::parse(&format!("{REST}{more}\n"), Path::new("pipeline.yaml"));
    assert!(read.is_ok(), "{:?}", read.map(drop));
}

/// An environment `x` beside `dev`.
fn environment(x: &str) -> String {
    told(&format!("{REST}  x: {x}\n"))
}
