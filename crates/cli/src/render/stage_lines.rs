//! The lines of a stage: the first one carries the stage's number and name, the others stand below it.

use orchestrator::StageName;

/// Where the item's column begins.
const MARGIN: usize = 16;
/// How wide the item's name is, at least.
const NAME: usize = 30;

/// Composes lines of one stage after the other.
#[derive(Debug, Default)]
pub(crate) struct StageLines {
    stage: Option<StageName>,
    lines: usize,
}

impl StageLines {
    pub(crate) fn begin(&mut self, stage: StageName) {
        *self = Self { stage: Some(stage), lines: 0 };
    }

    /// Whether the stage has said anything yet.
    pub(crate) fn is_silent(&self) -> bool {
        self.lines == 0
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, name: &str, rest: &str) -> String {
        let line = self.peek(name, rest);
        self.lines += 1;
        line
    }

    /// The line as it would be, for what is still moving.
    pub(crate) fn peek(&self, name: &str, rest: &str) -> String {
        let label = match self.stage {
            Some(stage) if self.lines == 0 => label(stage),
            _ => String::new(),
        };
        format!("{label:<MARGIN$}{name:<NAME$}  {rest}").trim_end().to_owned()
    }
}

fn label(stage: StageName) -> String {
    let number = match stage {
        StageName::Schema => 1,
        StageName::Index => 2,
        StageName::Backfill => 3,
        // Comes after the three, once the services are back.
        StageName::Post => return stage.as_str().to_owned(),
    };
    format!("[{number}/3] {}", stage.as_str())
}
