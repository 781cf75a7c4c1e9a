//! What a process has used, from /proc.

use anyhow::{Context, Result};
use std::{fs, time::Duration};

/// A tick of /proc/PID/stat, the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The fields of /proc/PID/stat from the state on: what stands before it may hold spaces.
fn stat(pid: u32) -> Result<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("a stat line")?;
    Ok(fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

fn ticks(fields: &[u64]) -> Duration {
    TICK * u32::try_from(fields.iter().sum::<u64>()).unwrap_or(u32::MAX)
}

/// User and system time of a process, its ended threads included.
pub fn of_process(pid: u32) -> Result<Duration> {
    Ok(ticks(&stat(pid)?[11..13]))
}

/// User and system time of a whole PostgreSQL: the postmaster, the backends and helpers that it has,
/// and those that it had. A backend is one thread, so its time is known to the nanosecond.
pub fn of_postgres(postmaster: u32) -> Result<Duration> {
    let mut sum = ticks(&stat(postmaster)?[11..15]);
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may end meanwhile; then the postmaster has its time.
        let Ok(fields) = stat(pid) else { continue };
        if fields[1] == u64::from(postmaster) {
            let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
            let nanos = schedstat.split_whitespace().next().and_then(|text| text.parse().ok());
            sum += Duration::from_nanos(nanos.unwrap_or(0));
        }
    }
    Ok(sum)
}

/// Resident memory of a process in MiB: now, and at most so far.
pub fn memory(pid: u32) -> Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<f64> {
        let line = text.lines().find(|line| line.starts_with(name)).context("a status line")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse::<f64>()? / 1024.0)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
