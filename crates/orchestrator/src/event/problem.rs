//! What is wrong with a file, for programs.

use serde::Serialize;

/// Something wrong with a file.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct FileProblem {
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub path: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// What to write or type instead.
    pub help: Option<String>,
}

impl From<&sql::Problem> for FileProblem {
    fn from(problem: &sql::Problem) -> Self {
        let place = problem.place();
        Self {
            code: problem.code.to_owned(),
            message: problem.message.clone(),
            path: problem.path.display().to_string(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            help: problem.help.clone(),
        }
    }
}

impl From<&pipeline::Problem> for FileProblem {
    fn from(problem: &pipeline::Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            message: problem.message.clone(),
            path: problem.path.display().to_string(),
            line: problem.line(),
            column: problem.column(),
            help: problem.help.clone(),
        }
    }
}
