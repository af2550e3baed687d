//! Who builds what when: plain indexes first and side by side, each table with one worker; the others after them, one at
//! a time.
//!
//! Builds of plain indexes ignore each other's snapshots (since PostgreSQL 14). A build with a predicate or an expression
//! does not, and is not ignored: whatever runs beside it waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::declaration::Declaration;
use crate::plan::Judged;
use crate::state::State;

/// Numbers of declarations, by when they are settled.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// As declared already: nothing is built.
    pub(crate) at_rest: Vec<usize>,
    /// Small tables first; each entry is one table, or a partitioned table with its partitions.
    pub(crate) plain: VecDeque<Vec<usize>>,
    /// With a predicate or an expression; small tables first.
    pub(crate) others: VecDeque<Vec<usize>>,
}

/// What workers take tables from.
pub(crate) type Queue = Mutex<VecDeque<Vec<usize>>>;

impl Schedule {
    pub(crate) fn of(declared: &[Declaration], judged: &[Judged]) -> Self {
        let mut schedule = Self::default();
        let (mut plain, mut others) = (Vec::new(), Vec::new());
        for (number, (declaration, judged)) in declared.iter().zip(judged).enumerate() {
            let rests = judged.state == State::Valid && judged.same == Some(true) && !judged.left;
            match (rests, declaration.plain) {
                (true, _) => schedule.at_rest.push(number),
                (false, true) => plain.push(number),
                (false, false) => others.push(number),
            }
        }
        schedule.plain = by_table(plain, judged);
        schedule.others = by_table(others, judged);
        schedule
    }
}

/// The next table.
pub(crate) fn next(queue: &Queue) -> Option<Vec<usize>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Groups declarations of one table, smallest table first, in the order of the files where tables are as large.
fn by_table(numbers: Vec<usize>, judged: &[Judged]) -> VecDeque<Vec<usize>> {
    let mut tables: Vec<(Option<i64>, i64, Vec<usize>)> = Vec::new();
    for number in numbers {
        let table = judged[number].found.table.as_ref();
        let (family, size) = (table.map(|table| table.family), table.map_or(0, |table| table.size_bytes));
        match tables.iter_mut().find(|(other, ..)| family.is_some() && *other == family) {
            Some((_, largest, numbers)) => {
                *largest = size.max(*largest);
                numbers.push(number);
            }
            None => tables.push((family, size, vec![number])),
        }
    }
    tables.sort_by_key(|(_, size, _)| *size);
    tables.into_iter().map(|(.., numbers)| numbers).collect()
}
