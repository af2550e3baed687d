//! What was measured of the shapes of a backfill, and the table that it makes.

use crate::table::Table;
use crate::traffic::Felt;

/// One run of a shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) wal: f64,
    pub(crate) growth: f64,
    pub(crate) memory: f64,
    pub(crate) busy: f64,
    pub(crate) felt: Felt,
}

/// The rounds of the shapes over one size of the table; a round of each follows a round of the one before.
pub(crate) struct Rounds {
    pub(crate) rows: u64,
    pub(crate) shapes: Vec<(&'static str, Vec<Measured>)>,
}

impl Rounds {
    fn of(&self, name: &str) -> Option<&[Measured]> {
        self.shapes.iter().find(|(shape, _)| *shape == name).map(|(_, all)| all.as_slice())
    }
}

/// The rows of all sizes. What is a share of something else is the median of the rounds' own shares.
pub(crate) fn table(title: String, sizes: &[Rounds], traffic: bool) -> Table {
    let mut columns = vec!["rows", "shape", "seconds", "of single", "of full speed", "us/row", "of fewest"];
    columns.extend(["WAL MB", "WAL of single", "heap growth", "client MB", "cores busy"]);
    if traffic {
        columns.extend(["p50 ms", "p99 ms", "of idle", "worst ms", "over 50 ms", "statements/s"]);
    }
    let mut table = Table::new(title, &columns);
    for rounds in sizes {
        for (name, all) in &rounds.shapes {
            let ratio = |of: Option<&[Measured]>, value: fn(&Measured) -> f64| {
                let of = of.filter(|of| of.len() == all.len());
                of.map_or_else(String::new, |of| {
                    format!("{:.2}", median(all.iter().zip(of).map(|(one, other)| value(one) / value(other))))
                })
            };
            let (idle, per_row) = (*name == "idle", |measured: &Measured| measured.seconds);
            let beside = |other: &str| if idle { None } else { rounds.of(other) };
            let of = |value: fn(&Measured) -> f64| median(all.iter().map(value));
            let micros = |rounds: &Rounds| {
                rounds.of(name).map(|all| median(all.iter().map(per_row)) * 1e6 / rounds.rows as f64)
            };
            let ours = if name.starts_with("ours") { beside("ours-full-speed") } else { None };
            let mut cells = vec![
                rounds.rows.to_string(),
                (*name).to_owned(),
                format!("{:.2}", of(|measured| measured.seconds)),
                ratio(beside("single"), |measured| measured.seconds),
                ratio(ours, |measured| 1.0 / measured.seconds),
                micros(rounds).filter(|_| !idle).map_or_else(String::new, |micros| format!("{micros:.2}")),
                micros(rounds)
                    .zip(sizes.first().filter(|first| first.rows < rounds.rows).and_then(micros))
                    .map_or_else(String::new, |(now, first)| format!("{:.2}", now / first)),
                format!("{:.0}", of(|measured| measured.wal) / 1e6),
                ratio(beside("single"), |measured| measured.wal),
                format!("{:+.0} %", of(|measured| measured.growth) * 100.0),
                format!("{:.0}", of(|measured| measured.memory)),
                format!("{:.0} %", of(|measured| measured.busy) * 100.0),
            ];
            if traffic {
                cells.extend([
                    format!("{:.1}", of(|measured| measured.felt.p50)),
                    format!("{:.1}", of(|measured| measured.felt.p99)),
                    ratio(beside("idle"), |measured| measured.felt.p99),
                    format!("{:.0}", of(|measured| measured.felt.worst)),
                    format!("{:.0}", of(|measured| measured.felt.over_50 as f64)),
                    format!("{:.0}", of(|measured| measured.felt.per_second)),
                ]);
            }
            table.row(cells);
        }
    }
    table
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
