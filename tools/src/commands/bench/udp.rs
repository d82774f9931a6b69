//! `gannet bench udp`: round trips and throughput over the loopback interface, with hundreds of streams, with loss, and
//! with idle streams.

use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::{Details, Measurement};
use gannet_benches::scenarios::udp;
use gannet_benches::systems::System;
use gannet_benches::systems::gannet_udp::UdpSettings;
use gannet_driver::config::TransportName;

use super::{Reporting, figures, on_round};
use crate::cli::{Outcome, Output, Stop, Usage, bytes_in, count_in, mtu, power_of_two};

/// The longest message on any stream. A stream with short terms carries messages of at most an eighth of a term.
const MAX_MESSAGE_LENGTH: usize = 16 << 20;

/// Round trips and throughput over UDP on the loopback interface, compared with bare sockets
///
/// Each end is a thread on a core of its own, which also runs its driver. Rounds alternate between bare sockets and
/// each transport, with and without segmentation offload; the transports count their system calls. Then many streams
/// are compared with one, and a stream that loses datagrams with one that does not. Last comes the CPU time of streams
/// that carry nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// How datagrams are sent and received [default: both ways, where the system has io_uring]
    #[arg(long, value_enum)]
    transport: Option<TransportArg>,
    /// Rounds per system and measurement
    #[arg(long, value_name = "COUNT", default_value_t = udp::Options::default().rounds, value_parser = count_in::<u32>(1..=u64::MAX))]
    rounds: u32,
    /// Round trips per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = udp::Options::default().echo_rate_per_s, value_parser = count_in::<u64>(1..=10_000_000))]
    rate: u64,
    /// Bytes per message; throughput is measured for each
    #[arg(long = "size", value_name = "BYTES", value_delimiter = ',', default_values_t = udp::Options::default().throughput_sizes, value_parser = bytes_in::<usize>(1..=MAX_MESSAGE_LENGTH as u64))]
    sizes: Vec<usize>,
    /// Length of a term in bytes, a power of two from 64 KiB
    #[arg(long, value_name = "BYTES", default_value_t = UdpSettings::default().term_length, value_parser = power_of_two::<usize>)]
    term_length: usize,
    /// Length of the longest datagram, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = UdpSettings::default().mtu, value_parser = mtu)]
    mtu: usize,
    /// Length of the receiver's window, in bytes; in the part with loss it is 1 MiB, if the system allows sockets that
    /// much
    #[arg(long, value_name = "BYTES", default_value_t = UdpSettings::default().window, value_parser = bytes_in::<usize>(1..=1 << 30))]
    window: usize,
    /// How many streams to compare with one; 0 leaves this part out
    #[arg(long, value_name = "COUNT", default_value_t = udp::Options::default().streams, value_parser = count_in::<usize>(0..=u64::MAX))]
    streams: usize,
    /// How many of a million datagrams are lost in the part with loss; 0 leaves this part out
    #[arg(long, value_name = "COUNT", default_value_t = udp::Options::default().loss_ppm, value_parser = count_in::<u32>(0..=500_000))]
    loss_ppm: u32,
    /// How many streams there are in the part with idle streams; 0 leaves this part out
    #[arg(long, value_name = "COUNT", default_value_t = udp::Options::default().idle_streams, value_parser = count_in::<usize>(0..=u64::MAX))]
    idle_streams: usize,
}

/// What datagrams go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TransportArg {
    /// What the driver chooses by itself
    Auto,
    /// io_uring, or an error where the system does not have it
    #[value(name = "io_uring")]
    IoUring,
    /// Plain sockets
    Sockets,
}

impl Args {
    /// Refuses settings that no stream supports, instead of failing in the middle of a round.
    fn check(&self) -> Outcome {
        let Self { term_length, mtu, window, .. } = *self;
        let longest = (term_length / 8).min(MAX_MESSAGE_LENGTH);
        let largest = self.sizes.iter().copied().max().unwrap_or_default();
        let what = if largest > longest {
            format!(
                "a message of {largest} bytes is longer than the longest of {longest} that terms of {term_length} bytes may \
                 carry; give smaller ones with --size, or a --term-length of at least {}",
                8 * largest.next_power_of_two()
            )
        } else if window < mtu {
            format!("a --window of {window} bytes has no room for a datagram of --mtu {mtu}")
        } else {
            return Ok(());
        };
        Err(Usage(what).into())
    }
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    args.check()?;
    let transports = match args.transport {
        Some(TransportArg::Auto) => vec![TransportName::Auto],
        Some(TransportArg::IoUring) => vec![TransportName::IoUring],
        Some(TransportArg::Sockets) => vec![TransportName::Sockets],
        None => udp::available(),
    };
    let (term_length, mtu, window) = (args.term_length, args.mtu, args.window);
    let options = udp::Options {
        transports,
        rounds: args.rounds,
        echo_rate_per_s: args.rate,
        throughput_sizes: args.sizes.clone(),
        streams: args.streams,
        loss_ppm: args.loss_ppm,
        idle_streams: args.idle_streams,
        settings: UdpSettings { term_length, mtu, window, ..UdpSettings::default() },
        cores: Cores::choose(),
        ..udp::Options::default()
    };
    let mut systems = udp::systems(&options)?;
    let environment = Environment::read(options.cores);
    let notes: Vec<_> = systems.iter().map(|system| format!("{}: {}", system.name(), system.describe())).collect();
    args.reporting.begin(&environment, &notes, out)?;
    let mut results = udp::run(&mut systems, &options, on_round(stop))?;
    // Dropped, since they take memory, and the drivers among them use the CPU even when idle.
    drop::<Vec<Box<dyn System>>>(systems);
    results.extend(udp::variations(&options, on_round(stop))?);
    results.extend(udp::idle(&options, on_round(stop))?);
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    if let Some(Details::IdleStreams { side, streams, cpu_share, wake_ups_per_s, .. }) = &result.details {
        return format!(
            "      idle           gannet   {streams} streams take {:.2} % of a core of the {side} end, {wake_ups_per_s:.0} wake-ups/s",
            cpu_share * 100.0
        );
    }
    let (way, calls) = match &result.details {
        Some(Details::Udp {
            transport,
            offload,
            streams,
            loss_ppm,
            near_calls_per_msg,
            far_calls_per_msg,
            ratio_to_plain,
            ..
        }) => {
            let mut way = format!("{transport}{}", if *offload { "" } else { ", no offload" });
            if *streams > 1 {
                way.push_str(&format!(", {streams} streams"));
            }
            if *loss_ppm > 0 {
                way.push_str(&format!(", {} % loss", f64::from(*loss_ppm) / 1e4));
            }
            let calls = match (near_calls_per_msg, far_calls_per_msg) {
                (Some(near), Some(far)) => format!("   {near:.3} + {far:.3} calls/message"),
                _ => String::new(),
            };
            let plain = ratio_to_plain.map(|ratio| format!("   {ratio:.2} x one stream without loss"));
            (way, calls + &plain.unwrap_or_default())
        }
        _ => (String::new(), String::new()),
    };
    let kind = format!("{:?}", result.kind).to_lowercase();
    let what = format!("{kind:>10} {:>6} B  {:<8} {way:<22}", result.size, result.system);
    let ratio = result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x floor")).unwrap_or_default();
    let figures = figures(result);
    format!("{what} {figures}{ratio}{calls}   lost {}", result.lost)
}
