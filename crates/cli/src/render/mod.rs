//! What people and programs see.

pub(crate) mod diagnostic;
pub(crate) mod ending;
pub(crate) mod json;
pub(crate) mod overview;
pub(crate) mod screen;
mod stage_lines;
pub(crate) mod style;
mod words;

pub(crate) use style::Style;
