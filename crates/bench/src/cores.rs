//! Which core a process runs on, and how busy they all are.

use anyhow::{Context, Result};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Moves a process to one core, all threads of it that there are.
pub(crate) fn pin(pid: u32, core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = thread?.file_name();
        let thread = name.to_string_lossy().parse().ok().and_then(Pid::from_raw);
        sched_setaffinity(thread, &cores).with_context(|| format!("move pid {pid} to core {core}"))?;
    }
    Ok(())
}

/// The same, with its children; those that come later are born there.
pub(crate) fn pin_family(pid: u32, core: usize) -> Result<()> {
    pin(pid, core)?;
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        // One that has ended meanwhile is none.
        let _ = pin(child, core);
    }
    Ok(())
}

/// Ticks since the start of the machine: of all cores, and without those they had nothing to do in.
pub(crate) fn ticks() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    let all: f64 = ticks.iter().take(8).sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    (all, all - idle)
}

/// The share of the cores' time that was used since.
pub(crate) fn busy(since: (f64, f64)) -> f64 {
    let now = ticks();
    (now.1 - since.1) / (now.0 - since.0).max(1.0)
}
