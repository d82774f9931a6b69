//! Times the compiler: for each schema on the command line, from its file to the text of its code. Prints the median of
//! several runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gannet_codecs::generate::{self, generate};
use gannet_codecs::schema::{self, compile_file};

const RUNS: usize = 9;

fn main() -> ExitCode {
    println!("| schema | messages | compiled in | generated in | lines of code |");
    println!("| --- | --- | --- | --- | --- |");
    for path in std::env::args().skip(1) {
        let mut times = Vec::new();
        let mut size = (0, 0);
        for _ in 0..RUNS {
            let start = Instant::now();
            let compiled = match compile_file(&path, &schema::Options::default()) {
                Ok(compiled) => compiled,
                Err(report) => {
                    eprintln!("{path} is refused:\n{report}");
                    return ExitCode::FAILURE;
                }
            };
            let read = start.elapsed();
            let code = match generate(&compiled.schema, &generate::Options::default()) {
                Ok(code) => code,
                Err(error) => {
                    eprintln!("{path}: {error}");
                    return ExitCode::FAILURE;
                }
            };
            times.push((read, start.elapsed() - read));
            size = (compiled.schema.messages.len(), code.lines().count());
        }
        let median = |part: fn(&(Duration, Duration)) -> Duration| {
            let mut times: Vec<Duration> = times.iter().map(part).collect();
            times.sort();
            times[RUNS / 2].as_secs_f64() * 1e3
        };
        let (read, generated) = (median(|times| times.0), median(|times| times.1));
        println!("| {path} | {} | {read:.1} ms | {generated:.1} ms | {} |", size.0, size.1);
    }
    ExitCode::SUCCESS
}
