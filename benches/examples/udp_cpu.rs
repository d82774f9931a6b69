//! Measures the CPU time of a round trip and of a stream over UDP with both ends on one thread, compared with bare
//! sockets, and the CPU time of a message on one stream and on a hundred: `udp_cpu [ROUNDS [ONLY]]`, such as
//! `udp_cpu 5 streams`. CPU time is meaningful on a shared machine, where elapsed time is not. It leaves out that two
//! ends at once wait for each other. `udp_cpu 5 idle` measures a thousand idle streams.

use std::net::UdpSocket;

use gannet_benches::rig::measurement::Details;
use gannet_benches::scenarios::udp;
use gannet_benches::systems::System;
use gannet_benches::systems::gannet_udp::{GannetUdp, UdpSettings};
use gannet_driver::config::TransportName;
use rustix::time::{ClockId, clock_gettime};

const ROUND_TRIPS: usize = 20_000;
const MESSAGES: usize = 100_000;
const STREAMS: usize = 100;
const STREAM_MESSAGES: usize = 400_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let only = std::env::args().nth(2);
    let wants = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let mut floor = floor()?;
    let mut systems = Vec::new();
    for transport in [TransportName::Sockets, TransportName::IoUring] {
        for offload in [true, false] {
            let name = format!("{transport:?}{}", if offload { "" } else { " without offload" });
            if wants(&name) {
                systems.push((name, GannetUdp::open(UdpSettings { transport, offload, ..UdpSettings::default() })?));
            }
        }
    }
    for _ in 0..rounds {
        if wants("floor") {
            println!("{:>28}  {:>7.0} ns per round trip", "floor", ns_each(ROUND_TRIPS, || floor.round_trip()));
        }
        for index in 0..systems.len() {
            let (name, system) = &mut systems[index];
            print!(
                "{name:>28}  {:>7.0} ns per round trip",
                ns_each(ROUND_TRIPS, || system.round_trip_on_one_thread(&[7; 32]))
            );
            for size in [32, 288, 1344, 65_536] {
                let messages = (MESSAGES * 64 / (size + 32)).max(200);
                let each = ns_each(1, || system.stream_on_one_thread(&vec![7; size], messages)) / messages as f64;
                print!("  {size} B {each:>6.0} ns");
            }
            println!();
            // Keeps the others from timing out meanwhile.
            systems.iter_mut().for_each(|(_, system)| system.keep_alive());
        }
    }
    if wants("streams") {
        streams(rounds)?;
    }
    if wants("idle") {
        idle(rounds)?;
    }
    Ok(())
}

/// Measures the cost of a message on one stream, and on a hundred streams that carry one each in turn. Some of both
/// have the same memory: a stream with terms of 16 MiB has about as much log as a hundred with terms of 256 KiB.
fn streams(rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut systems = Vec::new();
    for (streams, term_length) in
        [(1, 256 << 10), (STREAMS, 256 << 10), (1, 16 << 20), (1, 64 << 10), (STREAMS, 64 << 10)]
    {
        let plain = UdpSettings { transport: TransportName::Sockets, term_length, ..UdpSettings::default() };
        let settings = if streams > 1 { plain.of_many(streams) } else { plain };
        systems.push((format!("{streams} x {} KiB", term_length >> 10), GannetUdp::open(settings)?));
    }
    for _ in 0..rounds {
        let mut one = None;
        for index in 0..systems.len() {
            let (name, system) = &mut systems[index];
            let each = ns_each(1, || system.stream_on_one_thread(&[7; 288], STREAM_MESSAGES)) / STREAM_MESSAGES as f64;
            print!("{name:>14} {each:>4.0} ns, {:.2} x", each / *one.get_or_insert(each));
            systems.iter_mut().for_each(|(_, system)| system.keep_alive());
        }
        println!();
    }
    Ok(())
}

/// Measures the CPU time of a thousand idle streams, for the thread that sends for them and for the one that receives
/// them.
fn idle(rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    for _ in 0..rounds {
        for result in udp::idle(&udp::Options::default(), |_| Ok(()))? {
            if let Some(Details::IdleStreams { side, streams, cpu_share, wake_ups_per_s, .. }) = result.details {
                print!("  {side}: {streams} streams {:>5.2} % {wake_ups_per_s:>6.0} wake-ups/s", cpu_share * 1e2);
            }
        }
        println!();
    }
    Ok(())
}

fn ns_each(count: usize, mut work: impl FnMut()) -> f64 {
    let before = cpu_ns();
    (0..count).for_each(|_| work());
    (cpu_ns() - before) as f64 / count as f64
}

fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

struct Floor {
    ends: [UdpSocket; 2],
}

fn floor() -> std::io::Result<Floor> {
    let ends = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    ends[0].connect(ends[1].local_addr()?)?;
    ends[1].connect(ends[0].local_addr()?)?;
    ends[0].set_nonblocking(true)?;
    ends[1].set_nonblocking(true)?;
    Ok(Floor { ends })
}

impl Floor {
    /// Sends a message there and back, with one empty poll for each that finds something.
    fn round_trip(&mut self) {
        let mut buffer = [0; 1408];
        for (from, to) in [(0, 1), (1, 0)] {
            while self.ends[to].recv(&mut buffer).is_ok() {}
            self.ends[from].send(&buffer[..64]).expect("loopback takes it");
            while self.ends[to].recv(&mut buffer).is_err() {}
        }
    }
}
