//! Times every system at every operation, alternating every few microseconds, so that disturbances of the machine
//! affect all of them. Prints medians and their ratios to the copy.

use std::time::Instant;

use gannet_codec_benches::{OPERATIONS, Operation, SYSTEMS, System, repeat};

const ROUNDS: usize = 4_000;
const BATCH: u64 = 200;

fn time(system: &System, operation: Operation) -> f64 {
    let start = Instant::now();
    repeat(system, operation, BATCH);
    start.elapsed().as_nanos() as f64 / BATCH as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    println!("| operation | {} |", SYSTEMS.map(|system| system.name).join(" | "));
    println!("| --- |{}", " --- |".repeat(SYSTEMS.len()));
    for (name, operation) in OPERATIONS {
        let mut times = SYSTEMS.map(|_| Vec::with_capacity(ROUNDS));
        for _ in 0..ROUNDS {
            for (system, times) in SYSTEMS.iter().zip(&mut times) {
                times.push(time(system, operation));
            }
        }
        let medians = times.map(|mut times| median(&mut times));
        let cells = medians.map(|nanos| format!("{nanos:.1} ns, {:.2} ×", nanos / medians[0]));
        println!("| {name} | {} |", cells.join(" | "));
    }
}
