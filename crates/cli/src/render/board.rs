//! Where lines are written: those that stay, and on a terminal one that moves.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::say;
use crate::render::stage_lines::StageLines;

/// How often a moving line is repeated where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The lines of a deploy.
pub(crate) struct Board {
    pub(crate) lines: StageLines,
    /// The line that moves, on a terminal.
    moving: Option<ProgressBar>,
    /// When a line was last written.
    written: Instant,
}

impl Board {
    pub(crate) fn new() -> Self {
        let moving = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            // A line that is too long is cut, not wrapped.
            bar.set_style(
                ProgressStyle::with_template("{wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        Self { lines: StageLines::default(), moving, written: Instant::now() }
    }

    /// Whether a line can move.
    pub(crate) fn is_terminal(&self) -> bool {
        self.moving.is_some()
    }

    /// Whether it is time to repeat what would move on a terminal.
    pub(crate) fn is_time_to_repeat(&self) -> bool {
        self.written.elapsed() > PLAIN_EVERY
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        if let Some(moving) = &self.moving {
            moving.finish_and_clear();
        }
    }

    /// A line that stays.
    pub(crate) fn stays(&mut self, line: &str) {
        self.written = Instant::now();
        match &self.moving {
            Some(moving) => moving.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// An item's last line.
    pub(crate) fn done(&mut self, name: &str, rest: &str) {
        let line = self.lines.line(name, rest);
        if let Some(moving) = &self.moving {
            moving.set_message("");
        }
        self.stays(&line);
    }

    /// An item's line for now; nothing where there is no terminal.
    pub(crate) fn moves(&mut self, name: &str, rest: &str) {
        if let Some(moving) = &self.moving {
            moving.set_message(self.lines.peek(name, rest));
            moving.tick();
        }
    }

    /// The same, but said once in a while where there is no terminal.
    pub(crate) fn moves_or_says(&mut self, name: &str, rest: &str) {
        if self.moving.is_some() {
            self.moves(name, rest);
        } else if self.lines.is_silent() || self.is_time_to_repeat() {
            let line = self.lines.line(name, rest);
            self.stays(&line);
        }
    }
}
