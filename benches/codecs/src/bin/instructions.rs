//! Counts the instructions of every system at every operation by running itself under callgrind, whose counts are the
//! same on every run. The result is the difference between two numbers of repetitions, so that it includes only the
//! operation.

use std::process::{Command, ExitCode};

use gannet_codec_benches::{OPERATIONS, SYSTEMS, repeat};

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [system, operation, count] = arguments.as_slice() {
        let system = SYSTEMS.iter().find(|known| known.name == system);
        let operation = OPERATIONS.iter().find(|(name, _)| name == operation);
        let (Some(system), Some((_, operation)), Ok(count)) = (system, operation, count.parse()) else {
            return ExitCode::from(2);
        };
        repeat(system, *operation, count);
        return ExitCode::SUCCESS;
    }
    println!("| operation | {} |", SYSTEMS.map(|system| system.name).join(" | "));
    println!("| --- |{}", " --- |".repeat(SYSTEMS.len()));
    for (name, _) in OPERATIONS {
        let counts = SYSTEMS.map(|system| Some(count(system.name, name, MANY)? - count(system.name, name, FEW)?));
        let cells = counts.map(|count| match count {
            Some(count) => format!("{:.0}", count as f64 / (MANY - FEW) as f64),
            None => "valgrind failed".to_owned(),
        });
        println!("| {name} | {} |", cells.join(" | "));
        if counts.contains(&None) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The instruction count that callgrind prints at the end of a run.
fn count(system: &str, operation: &str, count: u64) -> Option<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([system, operation, &count.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8(run.stderr).ok()?;
    let (_, collected) = said.split_once("Collected : ")?;
    collected.lines().next()?.trim().parse().ok()
}
