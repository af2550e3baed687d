//! What people and programs see.

pub(crate) mod adoption;
pub(crate) mod backfills;
mod board;
pub(crate) mod config;
pub(crate) mod diagnostic;
pub(crate) mod diff;
pub(crate) mod ending;
pub(crate) mod fleet;
pub(crate) mod gates;
pub(crate) mod indexes;
pub(crate) mod json;
pub(crate) mod overview;
pub(crate) mod proof;
pub(crate) mod reference;
pub(crate) mod screen;
mod stage_lines;
mod stages;
pub(crate) mod style;
pub(crate) mod words;

pub(crate) use style::Style;
