//! Measures Aeron's C client beside the floor and Gannet, in one run and alternating, on the same two cores:
//! `compare [ROUNDS [TERM_LENGTH]]`. Prints one line of JSON per result, as `gannet bench ipc --json` does.

use gannet_benches::scenarios::ipc;
use gannet_benches::systems::System;
use gannet_benches::systems::floor::Floor;
use gannet_benches::systems::gannet::Gannet;
use gannet_peers::aeron_ipc::AeronIpc;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// Every system has terms of this length in bytes, unless told otherwise: the default of both drivers.
const TERM_LENGTH: usize = 64 * 1024 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut options = ipc::Options { term_length: TERM_LENGTH, ..ipc::Options::default() };
    if let Some(rounds) = std::env::args().nth(1) {
        options.rounds = rounds.parse()?;
    }
    if let Some(term_length) = std::env::args().nth(2) {
        options.term_length = term_length.parse()?;
    }
    let mut systems: Vec<Box<dyn System>> = vec![
        Box::new(Floor::new(options.log_length())),
        Box::new(Gannet::open(options.term_length)?),
        Box::new(AeronIpc::open(options.term_length)?),
    ];
    for system in &systems {
        eprintln!("{}: {}", system.name(), system.describe());
    }
    let results = ipc::run(&mut systems, &options, |_| {})?;
    let mut out = io::stdout().lock();
    for result in results {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
    }
    Ok(())
}
