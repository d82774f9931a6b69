//! Measures Aeron's C client, the floor and Gannet in one run, in alternation, on the same two cores. Prints one line
//! of JSON per result, as `gannet bench` does.
//!
//! - `compare [ROUNDS [TERM_LENGTH]]`: over shared memory;
//! - `compare udp [ROUNDS]`: over UDP on the loopback interface, both drivers with their defaults;
//! - `compare udp-tuned [ROUNDS]`: as above, with the longest datagrams and a window to match.

use gannet_benches::rig::measurement::Measurement;
use gannet_benches::scenarios::{ipc, udp};
use gannet_benches::systems::System;
use gannet_benches::systems::floor::Floor;
use gannet_benches::systems::gannet::Gannet;
use gannet_benches::systems::gannet_udp::{GannetUdp, UdpSettings};
use gannet_benches::systems::handover::Handover;
use gannet_peers::aeron_ipc::AeronIpc;
use gannet_peers::aeron_udp::{self, AeronUdp};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// The default term length of every system in bytes, which is the default of both drivers.
const TERM_LENGTH: usize = 64 * 1024 * 1024;
/// The greatest MTU that both drivers support, and a window with room for many such datagrams.
const LONGEST_MTU: usize = 65_504;
const WIDE_WINDOW: usize = 2 << 20;
const LONG_TERM: usize = 16 << 20;

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
    let mut arguments = std::env::args().skip(1).peekable();
    let medium = arguments.next_if(|argument| argument.starts_with("udp"));
    let rounds = arguments.next().map(|rounds| rounds.parse()).transpose()?;
    let results = match medium.as_deref() {
        None => over_ipc(rounds, arguments.next().map(|length| length.parse()).transpose()?)?,
        Some("udp") => over_udp(rounds, false)?,
        Some("udp-tuned") => over_udp(rounds, true)?,
        Some(other) => return Err(format!("no such medium: {other}").into()),
    };
    let mut out = io::stdout().lock();
    for result in results {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
    }
    Ok(())
}

fn over_ipc(rounds: Option<u32>, term_length: Option<usize>) -> Result<Vec<Measurement>, Box<dyn Error>> {
    let mut options = ipc::Options { term_length: term_length.unwrap_or(TERM_LENGTH), ..ipc::Options::default() };
    options.rounds = rounds.unwrap_or(options.rounds);
    let mut systems: Vec<Box<dyn System>> = vec![
        Box::new(Floor::new(options.log_length())),
        Box::new(Handover::new(options.log_length())),
        Box::new(Gannet::open(options.term_length)?),
        Box::new(AeronIpc::open(options.term_length)?),
    ];
    introduce(&systems);
    Ok(ipc::run(&mut systems, &options, |_| Ok(()))?)
}

fn over_udp(rounds: Option<u32>, tuned: bool) -> Result<Vec<Measurement>, Box<dyn Error>> {
    let mut options = udp::Options { transports: udp::available(), ..udp::Options::default() };
    options.rounds = rounds.unwrap_or(options.rounds);
    if tuned {
        options.settings.mtu = LONGEST_MTU;
        options.settings.window = WIDE_WINDOW;
        options.settings.term_length = LONG_TERM;
    }
    let UdpSettings { term_length, mtu, window, .. } = options.settings;
    let mut systems = udp::systems(&options)?;
    if tuned {
        // With segmentation offload datagrams need not be long: the defaults, except for a window with room for many.
        let short = UdpSettings { mtu: UdpSettings::default().mtu, ..options.settings };
        for &transport in &options.transports {
            systems.push(Box::new(GannetUdp::open(UdpSettings { transport, ..short })?));
        }
    }
    systems.push(Box::new(AeronUdp::open(aeron_udp::UdpSettings { term_length, mtu, window, tuned })?));
    introduce(&systems);
    Ok(udp::run(&mut systems, &options, |_| Ok(()))?)
}

fn introduce(systems: &[Box<dyn System>]) {
    for system in systems {
        eprintln!("{}: {}", system.name(), system.describe());
    }
}
