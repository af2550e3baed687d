//! What the three stages say while they run, as lines.

use orchestrator::{backfill, index, schema};

use crate::render::Style;
use crate::render::board::Board;
use crate::render::words::{bar, bytes, counted, grouped, milliseconds, percent, seconds};

pub(crate) fn schema(board: &mut Board, style: Style, event: &schema::Event) {
    match event {
        schema::Event::Started { migration } => board.moves(migration, "running"),
        schema::Event::Retrying { migration, attempt, retry_in_ms, blocked_by, .. } => {
            let by = blocked_by
                .first()
                .map(|by| format!("blocked by pid {} {}; ", by.pid, by.user))
                .unwrap_or_default();
            let text = format!("{by}attempt {} in {}", attempt + 1, milliseconds(*retry_in_ms));
            board.moves_or_says(migration, &style.warning(&text));
        }
        schema::Event::Waiting { migration, blocked_by } => {
            let by = blocked_by.first().map(|by| {
                let age = milliseconds(by.age_ms);
                format!("pid {} {} has its table, for {age} now; waiting without queueing", by.pid, by.user)
            });
            board.moves_or_says(migration, &style.warning(&by.unwrap_or_default()));
        }
        schema::Event::BlockerEnded { migration, blocker } => {
            let text =
                format!("ended pid {} {}, idle in a transaction and in the way", blocker.pid, blocker.user);
            board.done(migration, &style.warning(&text));
        }
        schema::Event::Statement { migration, done, total } => {
            board.moves(migration, &format!("statement {done} of {total} is in"))
        }
        schema::Event::Notice { migration, notice } => {
            let severity = format!("{:?}", notice.severity).to_lowercase();
            board.done(migration, &style.faint(&format!("{severity}: {}", notice.message)));
        }
        schema::Event::Deferred { migration, reason } => {
            board.done(migration, &style.warning(&format!("deferred: {reason}")));
        }
        schema::Event::Snapshot { path, covers, duration_ms } => {
            let files = counted(*covers, "migration", "migrations");
            board.done(path, &format!("{}  stands for {files}", milliseconds(*duration_ms)));
        }
        schema::Event::RollingBack { migration } => board.moves(migration, "taking back"),
        schema::Event::RolledBack { migration, duration_ms } => {
            board.done(migration, &format!("{}  taken back", milliseconds(*duration_ms)));
        }
        schema::Event::Applied { migration, duration_ms, retries, waited_ms, blocked_by, .. } => {
            let mut rest = milliseconds(*duration_ms);
            if *retries > 0 {
                let by = blocked_by
                    .first()
                    .map(|by| format!(" by pid {} {}", by.pid, by.user))
                    .unwrap_or_default();
                let times = counted(*retries as usize, "retry", "retries");
                rest.push_str(
                    &style.warning(&format!("   {times}: blocked {}{by}", milliseconds(*waited_ms))),
                );
            }
            board.done(migration, &rest);
        }
        schema::Event::Failed { migration, code, .. } => {
            board.done(migration, &style.bad(&format!("failed ({code})")))
        }
        schema::Event::Orphan { pid } => {
            board.moves_or_says(
                &format!("pid {pid}"),
                "of a killed deploy is still at work; waiting for its end",
            );
        }
        schema::Event::Fixtures { path, duration_ms } => board.done(path, &milliseconds(*duration_ms)),
    }
}

pub(crate) fn index(board: &mut Board, style: Style, event: &index::Event) {
    match event {
        index::Event::Building { index, table_bytes, .. } => {
            board.moves(index, &format!("building on {}", bytes(*table_bytes)))
        }
        index::Event::Progress { index, phase, done, total, elapsed_ms, .. } => {
            let share =
                if *total > 0 { bar(done.unsigned_abs(), total.unsigned_abs()) } else { String::new() };
            board.moves(index, &format!("{share}  {phase}  {}", milliseconds(*elapsed_ms)));
        }
        index::Event::Waiting { index, phase, waits_for, waited_ms, .. } => {
            let who =
                waits_for.first().map(|who| format!(" for pid {} {}", who.pid, who.user)).unwrap_or_default();
            board.moves_or_says(
                index,
                &style.warning(&format!("{phase}: waiting{who}, {}", milliseconds(*waited_ms))),
            );
        }
        index::Event::Repairing { index, .. } => {
            board.moves(index, "dropping the invalid leftover of an earlier build")
        }
        index::Event::Adopting { index, pid, .. } => {
            board.moves_or_says(index, &format!("being built by pid {pid}; waiting for it"))
        }
        index::Event::Retrying { index, message, .. } => {
            board.moves_or_says(index, &style.warning(&format!("again, after: {message}")))
        }
        index::Event::Built { index, outcome, duration_ms, size_bytes, .. } => {
            let word =
                if outcome.as_str() == "built" { String::new() } else { format!("  {}", outcome.as_str()) };
            board.done(index, &format!("{}  {}{word}", milliseconds(*duration_ms), bytes(*size_bytes)));
        }
        index::Event::Dropped { index, duration_ms, .. } => {
            board.done(index, &format!("{}  dropped", milliseconds(*duration_ms)))
        }
        index::Event::Detached { index, pid, .. } => {
            board.done(
                index,
                &style.warning(&format!("left to the server (pid {pid}); the next deploy adopts it")),
            );
        }
        index::Event::Deferred { index, reason, .. } => {
            board.done(index, &style.faint(&format!("deferred: {reason}")))
        }
        index::Event::Failed { index, outcome, .. } => {
            board.done(index, &style.warning(&format!("{} (W202)", outcome.as_str())))
        }
    }
}

pub(crate) fn backfill(board: &mut Board, style: Style, event: &backfill::Event) {
    match event {
        backfill::Event::Started { id, rows, resumed, .. } => {
            let from =
                if *resumed { format!("going on after {} rows", grouped(*rows)) } else { "starting".into() };
            board.moves(id, &from);
        }
        backfill::Event::Progress {
            id,
            rows,
            estimated_rows,
            rows_per_second,
            seconds_left,
            milestone,
            ..
        } => {
            let left = seconds_left.map(|left| format!("  {} left", seconds(left))).unwrap_or_default();
            let rate = format!("{} rows/s", grouped(*rows_per_second as u64));
            let of = format!("{} of {} rows", grouped(*rows), grouped(*rows.max(estimated_rows)));
            if board.is_terminal() {
                board.moves(id, &format!("{}{left}  {of}  {rate}", bar(*rows, *estimated_rows)));
            } else if *milestone && rows < estimated_rows && board.is_time_to_repeat() {
                let line =
                    board.lines.line(id, &format!("{of}  {}  {rate}{left}", percent(*rows, *estimated_rows)));
                board.stays(&line);
            }
        }
        backfill::Event::Sweeping { id, skipped, .. } => {
            board.moves(
                id,
                &format!("visiting {} again that were locked", counted(*skipped as usize, "row", "rows")),
            );
        }
        backfill::Event::Verifying { id, .. } => board.moves(id, "proving that no row matches any more"),
        backfill::Event::Reconnecting { id, reason, .. } => {
            board.moves_or_says(id, &style.warning(&format!("reconnecting: {reason}")))
        }
        backfill::Event::Throttled { id, level, reasons, .. } => match level.as_str() {
            "free" => board.moves_or_says(id, "at full pace again"),
            _ => board.moves_or_says(id, &style.warning(&format!("{level}: {}", reasons.join("; ")))),
        },
        backfill::Event::Vacuumed { id, table, seconds: took } => {
            board.moves(id, &format!("vacuumed {table} in {}", seconds(*took)))
        }
        backfill::Event::Completed { id, rows, seconds: took, .. } => {
            let rate = if *took > 0.0 { *rows as f64 / took } else { 0.0 };
            let rows = counted(*rows as usize, "row", "rows");
            board.done(id, &format!("{}  {rows}  {} rows/s", seconds(*took), grouped(rate as u64)));
        }
        backfill::Event::Incomplete { id, rows, estimated_rows, .. } => {
            let of = format!(
                "{} of {} rows  {}",
                grouped(*rows),
                grouped(*rows.max(estimated_rows)),
                percent(*rows, *estimated_rows)
            );
            board.done(id, &style.warning(&format!("{of}  incomplete (W201)")));
        }
        backfill::Event::Failed { id, .. } => board.done(id, &style.warning("failed (W201)")),
    }
}
