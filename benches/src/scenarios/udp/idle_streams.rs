//! The CPU use of the threads that send and receive for idle streams. A part of the scenario `udp`.

use std::fs;
use std::time::Duration;

use gannet::logbuffer::Fragment;
use gannet::{Client, Context};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};

use super::{NAME, Options};
use crate::rig::RigError;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::scenarios::usage::{Usage, round};
use crate::systems::gannet::{GANNET, failed};
use crate::systems::gannet_udp::free_port;

const STREAM: i32 = 1;
/// How long connecting the streams may take, in nanoseconds.
const PATIENCE_NS: i64 = 60_000_000_000;

/// Measures the CPU use of the thread that sends for idle streams, and of the one that receives them. Each end has a
/// driver of its own, whose sender and receiver share a thread.
///
/// # Errors
///
/// [`RigError`] when a driver does not start, or when the kernel provides no accounting of its threads.
pub fn idle(
    options: &Options,
    mut on_round: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    if options.idle_streams == 0 {
        return Ok(Vec::new());
    }
    on_round(&format!("connecting {} idle streams", options.idle_streams))?;
    let (publisher, subscriber) = (IdleEnd::start()?, IdleEnd::start()?);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port()?);
    let mut subscription = subscriber.client.add_subscription(&channel, STREAM).map_err(failed("cannot subscribe"))?;
    let mut publications = Vec::with_capacity(options.idle_streams);
    for _ in 0..options.idle_streams {
        let publication = publisher.client.add_exclusive_publication(&channel, STREAM);
        publications.push(publication.map_err(failed("cannot publish"))?);
    }
    let start_ns = now_ns();
    while subscription.image_count() < publications.len() || !publications.iter_mut().all(|one| one.is_connected()) {
        subscription.poll(|_: Fragment<'_>| {}, 1);
        if now_ns() - start_ns > PATIENCE_NS {
            let missing = publications.len() - subscription.image_count();
            return Err(RigError::system(GANNET, "connecting idle streams", format!("{missing} are not connected")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    on_round(&format!("watching {} idle streams", publications.len()))?;
    let threads = [("publishing", publisher.network_thread()?), ("subscribing", subscriber.network_thread()?)];
    let usages = || -> Result<Vec<Usage>, RigError> { threads.iter().map(|(_, id)| Usage::of_thread(id)).collect() };
    let (begin_ns, before) = (now_ns(), usages()?);
    std::thread::sleep(options.watch);
    let (end_ns, after) = (now_ns(), usages()?);
    let watched_s = (end_ns - begin_ns) as f64 / 1e9;
    let results = threads.iter().zip(before.into_iter().zip(after)).map(|((side, _), (before, after))| {
        let details = Details::IdleStreams {
            side: (*side).to_owned(),
            profile: Profile::Balanced.to_string(),
            streams: publications.len(),
            watched_s: round(watched_s, 1e2),
            cpu_share: round(after.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e9 / watched_s, 1e6),
            wake_ups_per_s: round(after.turns.saturating_sub(before.turns) as f64 / watched_s, 1e1),
        };
        Measurement::idle(NAME, GANNET, details)
    });
    Ok(results.collect())
}

/// One end of the idle streams. The client is dropped before the driver.
struct IdleEnd {
    client: Client,
    /// The ids of the threads that were started with this end, the driver's among them.
    threads: Vec<String>,
    _driver: MediaDriver,
}

impl IdleEnd {
    fn start() -> Result<Self, RigError> {
        // The threads of two drivers in one process have the same names, so they are told apart by when they were
        // started.
        let before = Usage::threads()?;
        let config = DriverConfig::for_profile(Profile::Balanced);
        let driver = MediaDriver::launch_embedded(config).map_err(failed("cannot start an embedded driver"))?;
        let threads = Usage::threads()?.into_iter().filter(|thread| !before.contains(thread)).collect();
        let context = Context::new().dir(driver.dir()).client_name("rig").driver_timeout(Duration::from_secs(60));
        let client = Client::connect(context).map_err(failed("cannot connect"))?;
        Ok(Self { client, threads, _driver: driver })
    }

    /// The id of the thread that runs the driver's sender and receiver. It has its name once it has run.
    fn network_thread(&self) -> Result<&str, RigError> {
        let found = self.threads.iter().find(|thread| name_of(thread).contains("sender"));
        found.map(String::as_str).ok_or_else(|| {
            RigError::system(GANNET, "looking for the sender's thread", "no thread of the driver is named after it")
        })
    }
}

/// The name of a thread; empty if the thread is gone.
fn name_of(thread: &str) -> String {
    fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::udp::tests::short;

    #[test]
    fn idle_streams_are_watched() {
        let results = idle(&short(), |_| Ok(())).expect("drivers start anywhere");
        let sides: Vec<_> = results
            .iter()
            .filter_map(|result| match &result.details {
                Some(Details::IdleStreams { side, streams: 3, .. }) => Some(side.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(sides, ["publishing", "subscribing"]);
    }
}
