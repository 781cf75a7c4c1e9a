//! Markdown.

use crate::{Bench, load::Measured};
use anyhow::Result;
use std::{fs, process::Command};

pub fn heading(text: &str) {
    println!("\n### {text}\n");
}

pub fn head(columns: &[&str]) {
    println!("| {} |", columns.join(" | "));
    println!(
        "|{}|",
        columns
            .iter()
            .enumerate()
            .map(|(n, _)| if n == 0 { "---" } else { "--:" })
            .collect::<Vec<_>>()
            .join("|")
    );
}

pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// When, and on what.
pub fn machine(bench: &Bench) -> Result<()> {
    let output = |program: &str, arguments: &[&str]| -> String {
        let output = Command::new(program).args(arguments).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes: f64 = memory.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    println!(
        "{} · {} cores, {} · {:.0} GiB · Linux {} · commit {} · {}{}",
        output("date", &["-u", "+%F %H:%M UTC"]),
        std::thread::available_parallelism()?,
        model.trim_start_matches([' ', '\t', ':']),
        kilobytes / 1024.0 / 1024.0,
        output("uname", &["-r"]),
        output("git", &["describe", "--always", "--dirty"]),
        bench.size(),
        if bench.cli.quick { " · --quick: the figures mean nothing" } else { "" },
    );
    Ok(())
}

/// The usual table: each lane beside the one that it is compared with.
pub fn lanes(all: &[Measured], against: impl Fn(usize) -> Option<(usize, &'static str)>) {
    head(&["", "CPU µs a request", "of it database", "ratio", "p50 ms", "p99 ms", "requests/s", "requests"]);
    for (number, measured) in all.iter().enumerate() {
        let ratio = against(number)
            .map(|(other, goal)| format!("**{:.2}**{goal}", measured.cpu() / all[other].cpu()));
        row(&[
            measured.name.clone(),
            format!("{:.0}", measured.cpu()),
            format!("{:.0}", measured.database()),
            ratio.unwrap_or_default(),
            format!("{:.2}", measured.latency(0.5)),
            format!("{:.2}", measured.latency(0.99)),
            format!("{:.0}", measured.per_second()),
            measured.requests().to_string(),
        ]);
    }
}
