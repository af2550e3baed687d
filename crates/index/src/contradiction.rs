//! Declarations that cannot both be meant: one name declared twice, or declared and dropped.

use sql::Problem;

use crate::declaration::{Declarations, first_line};

/// All of them.
pub(crate) fn contradictions(declarations: &Declarations) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Without a schema on both sides, only the server's search path could tell them apart.
    let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    for (at, index) in declarations.indexes.iter().enumerate() {
        let earlier = declarations.indexes[..at].iter();
        let span = first_line(&index.source, &index.span);
        if let Some(first) =
            earlier.clone().find(|first| first.name == index.name && same(&first.schema, &index.schema))
        {
            let message = format!("{} is already declared at {}", index.name, first.place());
            problems.push(Problem::at("E235", &index.source, span.clone(), message).help(
                "choose another name for one of them, or write both tables with their schemas if those differ",
            ));
        }
    }
    for (at, tombstone) in declarations.tombstones.iter().enumerate() {
        let span = first_line(&tombstone.source, &tombstone.span);
        let declared = declarations.indexes.iter();
        if let Some(index) = declared
            .clone()
            .find(|index| index.name == tombstone.name && same(&index.schema, &tombstone.schema))
        {
            let message = format!("{} is declared at {} and dropped here", index.name, index.place());
            problems.push(
                Problem::at("E235", &tombstone.source, span, message).help("keep one of the two statements"),
            );
        } else if let Some(first) = declarations.tombstones[..at]
            .iter()
            .find(|first| first.name == tombstone.name && same(&first.schema, &tombstone.schema))
        {
            let message = format!("{} is already dropped at {}", tombstone.name, first.place());
            problems.push(Problem::at("E235", &tombstone.source, span, message).help("delete one of them"));
        }
    }
    problems
}
