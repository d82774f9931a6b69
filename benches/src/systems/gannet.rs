//! Gannet over shared memory: two clients of one embedded driver. With three parties on two cores, the driver has no
//! thread of its own: the near end invokes it between round trips, and the consumer invokes it during throughput.
//! Results say so.

use gannet::logbuffer::Fragment;
use gannet::{Client, Context, ExclusivePublication, ImageHandlers, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile, ThreadingMode};

use super::System;
use crate::rig::RigError;
use crate::rig::echo::{self, EchoOutcome, EchoPlan};
use crate::rig::schedule::now_ns;
use crate::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use crate::rig::transceiver::Transceiver;

/// The system's name in results.
pub const GANNET: &str = "gannet";

/// The stream ids of the two directions.
const OUT: i32 = 1;
const BACK: i32 = 2;
/// The end that hosts the driver gives it a turn after at most this many bytes, and with shorter terms after an eighth
/// of a term, so that a publisher does not wait for a turn while there is room.
const BYTES_PER_DRIVER_TURN: usize = 128 * 1024;
/// Opportunities per turn of the driver and the client, as for Aeron's ends in `benches/peers`: most turns find nothing
/// to do, and take longer than a message does.
const TURN_INTERVAL: u32 = 16;
/// Turns of the driver per turn of a client, which needs a few turns per second.
const TURNS_PER_CLIENT_TURN: u32 = 16;
/// How long setting up may take, in nanoseconds.
const PATIENCE_NS: i64 = 60_000_000_000;

/// Gannet as a system.
pub struct Gannet {
    term_length: usize,
    near: End,
    far: End,
}

/// One client with a publication in one direction and a subscription in the other, and the driver if this end hosts it.
struct End {
    driver: Option<MediaDriver>,
    client: Client,
    publication: ExclusivePublication,
    subscription: Subscription,
    bytes_since_turn: usize,
    bytes_per_turn: usize,
    chances: u32,
    turns: u32,
}

impl Gannet {
    /// Starts a driver and its two clients, with logs of three terms of `term_length` bytes.
    ///
    /// # Errors
    ///
    /// [`RigError::System`] with the error of the driver or of a client.
    pub fn open(term_length: usize) -> Result<Self, RigError> {
        let mut config = DriverConfig::for_profile(Profile::LowLatency);
        config.threads.mode = ThreadingMode::Invoker;
        let mut driver = MediaDriver::launch_embedded(config).map_err(failed("cannot start the embedded driver"))?;
        let channel = format!("aeron:ipc?term-length={term_length}|sparse=false");
        let mut near = End::open(&mut driver, &channel, OUT, BACK)?;
        let mut far = End::open(&mut driver, &channel, BACK, OUT)?;
        let start_ns = now_ns();
        while !(near.is_connected() && far.is_connected()) {
            driver.invoke();
            near.client.invoke();
            far.client.invoke();
            if now_ns() - start_ns > PATIENCE_NS {
                return Err(RigError::system(GANNET, "connecting", "the two ends did not find each other"));
            }
        }
        // Until the clients have mapped their logs.
        while near.client.invoke() + far.client.invoke() > 0 {
            driver.invoke();
        }
        near.driver = Some(driver);
        Ok(Self { term_length, near, far })
    }
}

impl Gannet {
    /// Runs one round of throughput with the messages of a source; see [`throughput::run_from`].
    ///
    /// # Errors
    ///
    /// As [`System::throughput`].
    pub fn throughput_from(&mut self, plan: &ThroughputPlan, source: &[u8]) -> Result<ThroughputOutcome, RigError> {
        self.far.driver = self.far.driver.take().or_else(|| self.near.driver.take());
        throughput::run_from(GANNET, &mut self.near, &mut self.far, plan, source)
    }
}

impl System for Gannet {
    fn name(&self) -> &str {
        GANNET
    }

    fn describe(&self) -> String {
        format!(
            "exclusive publications, terms of {} bytes; the driver is invoked by an end's own thread, there being two cores for two ends",
            self.term_length
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        self.near.driver = self.near.driver.take().or_else(|| self.far.driver.take());
        echo::run(GANNET, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        self.far.driver = self.far.driver.take().or_else(|| self.near.driver.take());
        throughput::run(GANNET, &mut self.near, &mut self.far, plan)
    }
}

impl End {
    fn open(driver: &mut MediaDriver, channel: &str, out: i32, back: i32) -> Result<Self, RigError> {
        let context = Context::new().dir(driver.dir()).client_name("rig").use_conductor_invoker();
        let client = Client::connect(context).map_err(failed("cannot connect"))?;
        // Requested without waiting, since only this thread runs the driver.
        let mut publication =
            client.async_add_exclusive_publication(channel, out).map_err(failed("cannot ask for a publication"))?;
        let mut subscription = client
            .async_add_subscription(channel, back, ImageHandlers::new())
            .map_err(failed("cannot ask for a subscription"))?;
        let publication = settle(driver, &client, || publication.poll())?;
        let subscription = settle(driver, &client, || subscription.poll())?;
        let bytes_per_turn = BYTES_PER_DRIVER_TURN.min(publication.term_buffer_length() as usize / 8);
        Ok(Self {
            driver: None,
            client,
            publication,
            subscription,
            bytes_since_turn: 0,
            bytes_per_turn,
            chances: 0,
            turns: 0,
        })
    }

    fn is_connected(&mut self) -> bool {
        self.publication.is_connected() && self.subscription.is_connected()
    }
}

/// Runs driver and client until a request is answered.
pub(super) fn settle<T, E>(
    driver: &mut MediaDriver,
    client: &Client,
    mut poll: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, RigError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let start_ns = now_ns();
    while now_ns() - start_ns < PATIENCE_NS {
        driver.invoke();
        client.invoke();
        if let Some(handle) = poll().map_err(failed("cannot add a stream"))? {
            return Ok(handle);
        }
    }
    Err(RigError::system(GANNET, "adding a stream", "the driver did not answer"))
}

/// Converts an error of Gannet to one of the rig that names what was attempted.
pub(crate) fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    action: &'static str,
) -> impl FnOnce(E) -> RigError {
    move |error| RigError::system(GANNET, action, error)
}

impl Transceiver for End {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        self.publication.offer(message).is_ok()
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        let bytes = &mut self.bytes_since_turn;
        let fragments = self.subscription.poll(
            |fragment: Fragment<'_>| {
                *bytes += fragment.frame_length();
                on_message(fragment.payload());
            },
            limit,
        );
        if self.bytes_since_turn >= self.bytes_per_turn {
            self.bytes_since_turn = 0;
            if let Some(driver) = &mut self.driver {
                driver.invoke();
            }
        }
        fragments
    }

    fn between_messages(&mut self) {
        self.chances = self.chances.wrapping_add(1);
        if !self.chances.is_multiple_of(TURN_INTERVAL) {
            return;
        }
        if let Some(driver) = &mut self.driver {
            driver.invoke();
        }
        self.turns = self.turns.wrapping_add(1);
        if self.driver.is_none() || self.turns.is_multiple_of(TURNS_PER_CLIENT_TURN) {
            self.client.invoke();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    #[test]
    fn every_message_comes_back_and_every_message_arrives() {
        let cores = Cores { near: None, far: None };
        let mut gannet = Gannet::open(64 * 1024).expect("an embedded driver starts anywhere");
        for _ in 0..2 {
            let echo = EchoPlan { size: 32, rate_per_s: 10_000, warm_up: 10, messages: 100, cores };
            let outcome = gannet.echo(&echo).expect("the ends are connected");
            assert_eq!((outcome.latencies.samples(), outcome.lost), (100, 0));
            let throughput = ThroughputPlan { size: 1024, duration_ms: 5, streams: 1, cores };
            let outcome = gannet.throughput(&throughput).expect("the ends are connected");
            assert!(outcome.received > 0 && outcome.lost == 0);
        }
    }
}
