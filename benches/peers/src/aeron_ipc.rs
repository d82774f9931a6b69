//! Aeron's C client on Aeron's C driver as a system under test of the rig: two threads, each with a client of its own,
//! over IPC, with exclusive publications. Driver and client conductors have no threads of their own, which on two cores
//! would only take time from the ends: the two ends give them turns between messages.

use crate::PeerError;
use crate::aeron_dir::AeronDir;
use crate::client::{Client, ClientOptions, ExclusivePublication, Subscription};
use crate::driver::{DriverSettings, EmbeddedDriver, ThreadingMode};
use gannet_benches::rig::RigError;
use gannet_benches::rig::echo::{self, EchoOutcome, EchoPlan};
use gannet_benches::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use gannet_benches::rig::transceiver::Transceiver;
use gannet_benches::systems::System;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The system's name in results.
pub const NAME: &str = "aeron-c";

const CHANNEL: &str = "aeron:ipc";
const OUT_STREAM: i32 = 1001;
const BACK_STREAM: i32 = 1002;
/// Opportunities per turn of the driver and the client: most turns find nothing to do, and take longer than a message
/// does.
const TURN_INTERVAL: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(10);

/// Both ends of a stream each way, and the driver.
#[derive(Debug)]
pub struct AeronIpc {
    near: End,
    far: End,
    term_length: usize,
    /// Dropped last, since the ends and the driver have the files mapped.
    _dir: AeronDir,
}

/// One end: its client, publication and subscription. Fields are dropped before the driver.
#[derive(Debug)]
struct End {
    publication: ExclusivePublication,
    subscription: Subscription,
    client: Client,
    driver: Arc<Mutex<EmbeddedDriver>>,
    chances: u32,
}

impl AeronIpc {
    /// Starts a driver in a directory of its own and connects both ends, with terms of `term_length` bytes.
    pub fn open(term_length: usize) -> Result<Self, RigError> {
        Self::connected(term_length).map_err(|error| RigError::system(NAME, "connecting both ends", error))
    }

    fn connected(term_length: usize) -> Result<Self, PeerError> {
        let dir = AeronDir::unique("bench");
        let settings = DriverSettings {
            dir: Some(dir.path().to_owned()),
            threading_mode: Some(ThreadingMode::Invoker),
            ipc_term_length: Some(term_length),
            network: None,
        };
        let driver = Arc::new(Mutex::new(EmbeddedDriver::start(&settings)?));
        // The driver has to run while the ends connect and wait for its answers.
        let (near, far) = run_meanwhile(&driver, || {
            let near = End::open(&dir, &driver, OUT_STREAM, BACK_STREAM)?;
            let far = End::open(&dir, &driver, BACK_STREAM, OUT_STREAM)?;
            Ok::<_, PeerError>((near, far))
        })?;
        let mut system = Self { near, far, term_length, _dir: dir };
        let deadline = Instant::now() + PATIENCE;
        while !(system.near.is_connected() && system.far.is_connected()) {
            if Instant::now() > deadline {
                return Err(PeerError::no_answer("connecting the streams of both ends", PATIENCE));
            }
            for end in [&mut system.near, &mut system.far] {
                end.turn();
            }
        }
        Ok(system)
    }
}

/// Runs the driver until `work`, on a thread of its own, is done.
fn run_meanwhile<T: Send>(driver: &Mutex<EmbeddedDriver>, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        while !worker.is_finished() {
            driver.lock().expect("nobody panics with the driver").do_work();
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl System for AeronIpc {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        format!(
            "Aeron {} C client and C driver: exclusive publications over aeron:ipc, {} KiB terms; the driver (invoker) and \
             the clients' conductors (invoked) get their turns from the two threads",
            EmbeddedDriver::version(),
            self.term_length / 1024
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        echo::run(NAME, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        throughput::run(NAME, &mut self.near, &mut self.far, plan)
    }
}

impl End {
    fn open(dir: &AeronDir, driver: &Arc<Mutex<EmbeddedDriver>>, out: i32, back: i32) -> Result<Self, PeerError> {
        let client = Client::connect_with(dir.path(), &ClientOptions { invoked: true, ..ClientOptions::default() })?;
        let publication = client.add_exclusive_publication(CHANNEL, out)?;
        let subscription = client.add_subscription(CHANNEL, back)?;
        Ok(Self { publication, subscription, client, driver: Arc::clone(driver), chances: 0 })
    }

    fn is_connected(&self) -> bool {
        self.publication.is_connected() && self.subscription.is_connected()
    }

    fn turn(&mut self) {
        // If the other end has the driver, the driver gets its turn there.
        if let Ok(mut driver) = self.driver.try_lock() {
            driver.do_work();
        }
        // A client that fails closes its publication, which the loops detect.
        let _ = self.client.service();
    }
}

impl Transceiver for End {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        self.publication.offer(message).is_ok()
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        self.subscription.poll(|fragment| on_message(fragment.payload()), limit)
    }

    fn between_messages(&mut self) {
        self.chances = self.chances.wrapping_add(1);
        if self.chances.is_multiple_of(TURN_INTERVAL) {
            self.turn();
        }
    }
}
