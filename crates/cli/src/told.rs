//! Why a command cannot go on, said in the format that was asked for.

use std::process::ExitCode;

use orchestrator::{Failure, FileProblem, Record};

use crate::arguments::Format;
use crate::exit;
use crate::output::{chain, say, tell};
use crate::render::{Style, diagnostic, ending, json};

/// Why a command cannot go on: already told, only the code is left.
pub(crate) type Told = ExitCode;

/// Tells what is wrong with pipeline.yaml.
pub(crate) fn tell_configuration(error: &pipeline::Error, format: Format, style: Style) -> Told {
    let code = i32::from(exit::UNUSABLE);
    match format {
        Format::Text => tell(diagnostic::all(&error.problems, style)),
        Format::Events => {
            let problems = error.problems.iter().map(FileProblem::from).collect();
            let (number, message) = json::CONFIGURATION;
            say(json::pretty(&Record::refusal("", code, number, message, problems, None)));
        }
        Format::Json | Format::Jsonl => say(json::pretty(&json::of_configuration(error))),
    }
    exit::of(code)
}

/// Tells why a command cannot go on.
pub(crate) fn tell_failure(failure: &Failure, format: Format, style: Style, environment: &str) -> Told {
    let code = failure.verdict.exit_code();
    match format {
        Format::Text => tell(ending::of_failure(failure, environment, style).trim_end()),
        Format::Events => {
            let problems = failure.problems.iter().map(FileProblem::from).collect();
            let next = failure.next.as_ref().map(|next| next.replace("{env}", environment));
            let message = &failure.message;
            say(json::pretty(&Record::refusal(environment, code, failure.code, message, problems, next)));
        }
        Format::Json | Format::Jsonl => {
            say(json::pretty(&serde_json::json!({"v": 1, "failure": json::of_failure(failure, environment)})))
        }
    }
    exit::of(code)
}

/// The same for what has no code of its own.
pub(crate) fn tell_error(error: &anyhow::Error, format: Format, style: Style) -> Told {
    tell_failure(&Failure::local(chain(error)), format, style, "")
}
