//! The scenario `stall`: how large logs that are added and removed affect a running stream. Slices of a fraction of a
//! second alternate between the stream alone, and the stream while another client of the process adds and removes a
//! publication. The same is done with the floor in place of the stream: the same loop on the same core, with no message
//! behind it. What the floor shows is caused by the machine, which affects both.
//!
//! The p99.9 of the median slice is compared. Every disturbed slice has at least one whole addition and removal, so the
//! median leaves out none of their effects; it does leave out slices in which another user of the machine had the core
//! for milliseconds. The random error of the ratio is estimated by resampling the measured slices.
//!
//! ```text
//! near core:  the stream, both its ends on one thread, messages due by a schedule
//! far core:   the driver's threads, the clients' conductors, the one who adds and removes
//! ```
//!
//! The driver is embedded, so that mapping and unmapping logs also affects the stream's own address space. A driver in
//! a process of its own disturbs the stream less.

use std::path::Path;
use std::time::Duration;

use gannet::counters::SystemCounter;
use gannet::logbuffer::Fragment;
use gannet::{AddError, Client, Context, ExclusivePublication, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};

use crate::rig::RigError;
use crate::rig::cores::{Cores, pin};
use crate::rig::echo::EchoOutcome;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::medians::{Ratio, median};
use crate::rig::one_thread::{self, NoStream, OneThreadPlan};
use crate::rig::schedule::now_ns;
use crate::rig::transceiver::Transceiver;
use crate::systems::FLOOR;
use crate::systems::gannet::GANNET;

/// The scenario's name in results.
pub const NAME: &str = "stall";
/// The name in results of the stream while logs are added and removed. Alone it is [`GANNET`].
pub const DISTURBED: &str = "gannet-disturbed";
/// The name in results of the floor while logs are added and removed. Alone it is [`FLOOR`].
pub const FLOOR_DISTURBED: &str = "floor-disturbed";

const STREAM: i32 = 1;
const ADDED_STREAM: i32 = 2;
/// The driver's timer interval: short, so that a removed log is freed and the next can be added soon.
const TIMER_INTERVAL: Duration = Duration::from_millis(20);
/// How long to wait for anything outside the timed loop.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_NS: i64 = PATIENCE.as_nanos() as i64;

/// The options of the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes per message.
    pub size: usize,
    /// Messages per second.
    pub rate_per_s: u64,
    /// Length of a slice in milliseconds, without its warm-up.
    pub slice_ms: u64,
    /// Slices of each kind.
    pub slices: u32,
    /// Bytes of a term of the stream.
    pub term_length: usize,
    /// Bytes of a term of each publication that is added and removed.
    pub added_term_length: usize,
    /// Minimum time between two such publications of a slice.
    pub add_interval: Duration,
    /// The driver's profile.
    pub profile: Profile,
    /// The cores of the stream and of everything else.
    pub cores: Cores,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 32,
            rate_per_s: 50_000,
            slice_ms: 250,
            slices: 30,
            term_length: 256 * 1024,
            added_term_length: 64 << 20,
            add_interval: Duration::from_millis(250),
            profile: Profile::Balanced,
            cores: Cores::choose(),
        }
    }
}

impl Options {
    /// One line on how the scenario is set up, for the report.
    pub fn describe(&self) -> String {
        format!(
            "{GANNET}: publisher and subscriber on one thread and core, terms of {} bytes; an embedded driver of profile {} on \
             the other core, and there, in every other slice, a client that adds and removes a publication with terms of {} bytes \
             every {:?}, at least once; {FLOOR}: the same loop without messages",
            self.term_length, self.profile, self.added_term_length, self.add_interval
        )
    }
}

/// Runs the scenario. `on_slice` is called before each slice, and may end the run.
///
/// # Errors
///
/// [`RigError`] when the driver or a client fails, or messages stop arriving.
pub fn run(
    options: &Options,
    on_slice: impl FnMut(&str) -> Result<(), RigError> + Send,
) -> Result<Vec<Measurement>, RigError> {
    // A thread inherits the core of the one that starts it: all threads but the stream's stay on that core unless they
    // are pinned.
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            pin(options.cores.far);
            run_here(options, on_slice)
        });
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here(
    options: &Options,
    mut on_slice: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let mut config = DriverConfig::for_profile(options.profile);
    config.timeouts.timer_interval = TIMER_INTERVAL;
    // A thread may have to wait for a while on a machine that is shared.
    (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (PATIENCE, PATIENCE * 2);
    let driver = MediaDriver::launch_embedded(config)
        .map_err(|error| RigError::system(GANNET, "cannot start the embedded driver", error))?;
    let mut stream = Stream::open(driver.dir(), options.term_length)?;
    let plan = OneThreadPlan {
        size: options.size,
        rate_per_s: options.rate_per_s,
        warm_up: options.rate_per_s / 100,
        messages: (options.rate_per_s * options.slice_ms / 1000).max(1),
        core: options.cores.near,
    };
    let mut parts = [
        Part { name: FLOOR, is_floor: true, disturbed: false, total: Total::default() },
        Part { name: GANNET, is_floor: false, disturbed: false, total: Total::default() },
        Part { name: FLOOR_DISTURBED, is_floor: true, disturbed: true, total: Total::default() },
        Part { name: DISTURBED, is_floor: false, disturbed: true, total: Total::default() },
    ];
    let mut visitor = Visitor::open(driver.dir(), options)?;
    for slice in 1..=options.slices {
        for Part { name, is_floor, disturbed, total } in &mut parts {
            on_slice(&format!("{name}, slice {slice} of {}", options.slices))?;
            let visitor = disturbed.then_some(&mut visitor);
            let outcome = if *is_floor {
                one_slice(&mut NoStream::default(), &plan, visitor, total)?
            } else {
                one_slice(&mut stream, &plan, visitor, total)?
            };
            total.latencies.merge(&outcome.latencies);
            total.p999_ns.extend(outcome.latencies.quantile_ns(0.999));
            total.longest_cycle_ns = counter(&stream.client, SystemCounter::ConductorMaxCycleTime).unsigned_abs();
        }
    }
    Ok(results(&parts, &plan, options))
}

/// One of the parts that are measured in turns.
struct Part {
    name: &'static str,
    is_floor: bool,
    disturbed: bool,
    total: Total,
}

/// The results of all slices of a part.
#[derive(Default)]
struct Total {
    latencies: LatencyHistogram,
    /// The p99.9 of each slice.
    p999_ns: Vec<u64>,
    logs_added: u64,
    longest_add_ns: u64,
    longest_cycle_ns: u64,
}

/// The results of four parts: two undisturbed ones, then the same two disturbed. The first of each pair is the floor.
fn results(parts: &[Part; 4], plan: &OneThreadPlan, options: &Options) -> Vec<Measurement> {
    let measurement = |part: &Part, undisturbed: &Part| {
        let Total { latencies, logs_added, longest_add_ns, longest_cycle_ns, .. } = &part.total;
        let ratio = Ratio::of_medians(&part.total.p999_ns, &undisturbed.total.p999_ns);
        let details = Details::Stall {
            logs_added: *logs_added,
            log_length: 3 * options.added_term_length as u64,
            longest_add_ns: *longest_add_ns,
            longest_cycle_ns: *longest_cycle_ns,
            p999_ns_of_median_slice: median(&mut part.total.p999_ns.clone()).map(|ns| ns as u64),
            p999_to_undisturbed: ratio.map(|ratio| round_to_4(ratio.found)),
            p999_to_undisturbed_range: ratio.map(|ratio| ratio.range.map(round_to_4)),
        };
        // No message was lost: a slice that loses one ends with an error.
        let measured = Measurement::echo(NAME, part.name, plan.size, plan.rate_per_s, latencies.clone(), 0);
        Measurement { details: Some(details), ..measured }
    };
    let (undisturbed, disturbed) = parts.split_at(2);
    let mut results = Vec::new();
    for pair in [undisturbed, disturbed] {
        let mut pair: Vec<_> = pair.iter().zip(undisturbed).map(|(part, alone)| measurement(part, alone)).collect();
        let floor = pair[0].clone();
        pair.iter_mut().for_each(|result| result.compare_with(&floor));
        results.extend(pair);
    }
    results
}

/// Runs one slice on a thread of its own, so that its pinning ends with it. Meanwhile a visitor adds and removes
/// publications on the calling thread.
fn one_slice(
    stream: &mut (impl Transceiver + Send),
    plan: &OneThreadPlan,
    visitor: Option<&mut Visitor>,
    total: &mut Total,
) -> Result<EchoOutcome, RigError> {
    std::thread::scope(|scope| {
        let slice = scope.spawn(|| one_thread::run(GANNET, stream, plan));
        if let Some(visitor) = visitor {
            // At least once, however late this thread starts.
            loop {
                let took_ns = visitor.add_and_remove()?;
                total.longest_add_ns = total.longest_add_ns.max(took_ns);
                total.logs_added += 1;
                visitor.pause(|| slice.is_finished());
                if slice.is_finished() {
                    break;
                }
            }
        }
        slice.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn round_to_4(ratio: f64) -> f64 {
    (ratio * 1e4).round() / 1e4
}

/// The stream that is measured.
struct Stream {
    client: Client,
    publication: ExclusivePublication,
    subscription: Subscription,
}

impl Stream {
    fn open(dir: &Path, term_length: usize) -> Result<Self, RigError> {
        let client = connect(dir, "stall: the stream")?;
        let channel = format!("aeron:ipc?term-length={term_length}|sparse=false");
        let subscription = client.add_subscription(&channel, STREAM).map_err(not_added)?;
        let publication = client.add_exclusive_publication(&channel, STREAM).map_err(not_added)?;
        let deadline_ns = now_ns() + PATIENCE_NS;
        while !(publication.is_connected() && subscription.is_connected()) {
            if now_ns() > deadline_ns {
                return Err(RigError::system(GANNET, "connecting", "the two ends did not find each other"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { client, publication, subscription })
    }
}

impl Transceiver for Stream {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        self.publication.offer(message).is_ok()
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        self.subscription.poll(|fragment: Fragment<'_>| on_message(fragment.payload()), limit)
    }
}

/// The client that adds and removes publications.
struct Visitor {
    client: Client,
    channel: String,
    /// Bytes that the driver and this client have mapped while this client has no log.
    mapped_before: i64,
    add_interval_ns: i64,
    next_ns: i64,
}

impl Visitor {
    fn open(dir: &Path, options: &Options) -> Result<Self, RigError> {
        let client = connect(dir, "stall: the visitor")?;
        let channel = format!("aeron:ipc?term-length={}", options.added_term_length);
        let mapped_before = bytes_mapped(&client);
        let add_interval_ns = i64::try_from(options.add_interval.as_nanos()).unwrap_or(i64::MAX);
        let mut visitor = Self { client, channel, mapped_before, add_interval_ns, next_ns: 0 };
        // Done once before anything is measured, so that connecting is not included.
        visitor.add_and_remove()?;
        Ok(visitor)
    }

    /// Waits until the next publication is due, or until the slice is over.
    fn pause(&mut self, is_over: impl Fn() -> bool) {
        while now_ns() < self.next_ns && !is_over() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Adds a publication, drops it, and waits until the driver has freed its log, so that there is never more than
    /// one. Returns how long adding took, in nanoseconds.
    fn add_and_remove(&mut self) -> Result<u64, RigError> {
        let begin_ns = now_ns();
        self.next_ns = begin_ns.saturating_add(self.add_interval_ns);
        let publication = self.client.add_exclusive_publication(&self.channel, ADDED_STREAM).map_err(not_added)?;
        let took_ns = now_ns() - begin_ns;
        drop(publication);
        let deadline_ns = now_ns() + PATIENCE_NS;
        while bytes_mapped(&self.client) > self.mapped_before {
            if now_ns() > deadline_ns {
                return Err(RigError::system(GANNET, "removing a publication", "the driver keeps its log"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(took_ns.unsigned_abs())
    }
}

/// The bytes that the driver reports as mapped.
fn bytes_mapped(client: &Client) -> i64 {
    counter(client, SystemCounter::BytesCurrentlyMapped)
}

fn counter(client: &Client, counter: SystemCounter) -> i64 {
    client.counters().value(counter.id()).unwrap_or(0)
}

fn connect(dir: &Path, name: &str) -> Result<Client, RigError> {
    // Logs are unmapped as soon as they are no longer used, since there is no memory for many of them.
    let context = Context::new().dir(dir).client_name(name).resource_linger(Duration::from_millis(1));
    Client::connect(context.driver_timeout(PATIENCE)).map_err(|error| RigError::system(GANNET, "cannot connect", error))
}

fn not_added(error: AddError) -> RigError {
    RigError::system(GANNET, "cannot add a stream", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_goes_on_while_logs_come_and_go() {
        let options = Options {
            rate_per_s: 2_000,
            slice_ms: 50,
            slices: 2,
            term_length: 64 * 1024,
            added_term_length: 64 * 1024,
            profile: Profile::Frugal,
            cores: Cores { near: None, far: None },
            ..Options::default()
        };
        let mut slices = 0;
        let results = run(&options, |_| {
            slices += 1;
            Ok(())
        })
        .expect("an embedded driver starts anywhere");
        assert_eq!(slices, 8);
        let samples: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.samples)).collect();
        assert_eq!(samples, [(FLOOR, 200), (GANNET, 200), (FLOOR_DISTURBED, 200), (DISTURBED, 200)]);
        assert!(results.iter().all(|result| result.floor_p50_ns.is_some()));
        let Some(Details::Stall { logs_added, p999_to_undisturbed, p999_to_undisturbed_range, .. }) =
            results[3].details
        else {
            panic!("{results:?}")
        };
        let (Some(ratio), Some([low, high])) = (p999_to_undisturbed, p999_to_undisturbed_range) else {
            panic!("{results:?}")
        };
        assert!(logs_added > 0 && low <= high && ratio > 0.0);
    }
}
