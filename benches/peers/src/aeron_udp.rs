//! Aeron's C client on Aeron's C driver over UDP on the loopback interface, as a system under test of the rig: two
//! ends, each with a driver and a client of its own, and one thread that gives them their turns. Driven turn for turn
//! like [`gannet_benches::systems::gannet_udp`].

use crate::PeerError;
use crate::aeron_dir::AeronDir;
use crate::client::{Client, ClientOptions, ExclusivePublication, Subscription};
use crate::driver::{DriverSettings, EmbeddedDriver, NetworkSettings, ThreadingMode};
use gannet_benches::rig::RigError;
use gannet_benches::rig::echo::{self, EchoOutcome, EchoPlan};
use gannet_benches::rig::measurement::Details;
use gannet_benches::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use gannet_benches::systems::System;
use gannet_benches::systems::driven::{Driven, DrivenEnd, Taken};
use gannet_benches::systems::gannet_udp::{BYTES_PER_TURN, free_port};
use std::time::{Duration, Instant};

/// The system's name in results with the driver's defaults.
pub const NAME: &str = "aeron-c";
/// The system's name in results with settings for throughput.
pub const NAME_TUNED: &str = "aeron-c-tuned";

const STREAM: i32 = 1;
/// The flags of a message's first and last fragment.
const BEGIN: u8 = 0x80;
const END: u8 = 0x40;
const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpSettings {
    /// Bytes of a term.
    pub term_length: usize,
    /// The MTU: the length of the longest datagram in bytes.
    pub mtu: usize,
    /// Bytes of the receiver's window.
    pub window: usize,
    /// Whether to use the driver's settings for throughput: as many datagrams per system call as it supports.
    pub tuned: bool,
}

/// Both ends.
#[derive(Debug)]
pub struct AeronUdp {
    settings: UdpSettings,
    near: Driven<Endpoint>,
    far: Driven<Endpoint>,
    /// Dropped last, since the ends have the files mapped.
    _dirs: [AeronDir; 2],
}

/// One end. Fields are dropped before the driver.
#[derive(Debug)]
struct Endpoint {
    publication: ExclusivePublication,
    subscription: Subscription,
    client: Client,
    driver: EmbeddedDriver,
    message: Vec<u8>,
}

impl AeronUdp {
    /// Starts two drivers and connects their clients.
    ///
    /// # Errors
    ///
    /// [`RigError::System`] with the error of a driver or of a client.
    pub fn open(settings: UdpSettings) -> Result<Self, RigError> {
        let channel = |port| {
            let UdpSettings { term_length, mtu, window, .. } = settings;
            format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length={term_length}|mtu={mtu}|rcv-wnd={window}")
        };
        let (out, back) = (channel(free_port()?), channel(free_port()?));
        Self::connected(settings, &out, &back).map_err(|error| RigError::system(NAME, "connecting both ends", error))
    }

    fn connected(settings: UdpSettings, out: &str, back: &str) -> Result<Self, PeerError> {
        let dirs = [AeronDir::unique("bench-near"), AeronDir::unique("bench-far")];
        let near = Driven::new(Endpoint::open(&dirs[0], &settings, out, back)?, BYTES_PER_TURN);
        let far = Driven::new(Endpoint::open(&dirs[1], &settings, back, out)?, BYTES_PER_TURN);
        let mut system = Self { settings, near, far, _dirs: dirs };
        let deadline = Instant::now() + PATIENCE;
        while !(system.near.end.is_connected() && system.far.end.is_connected()) {
            if Instant::now() > deadline {
                return Err(PeerError::no_answer("connecting the streams of both ends", PATIENCE));
            }
            for end in [&mut system.near, &mut system.far] {
                end.turn();
                end.end.serve_client();
            }
        }
        Ok(system)
    }
}

impl System for AeronUdp {
    fn name(&self) -> &str {
        if self.settings.tuned { NAME_TUNED } else { NAME }
    }

    fn describe(&self) -> String {
        let UdpSettings { term_length, mtu, window, tuned } = self.settings;
        format!(
            "Aeron {} C client and C driver, {}: exclusive publications, terms of {} KiB, datagrams of up to {mtu} bytes, window of {} KiB; \
             an end's thread runs its driver, too (invoker)",
            EmbeddedDriver::version(),
            if tuned { "16 datagrams per system call" } else { "defaults" },
            term_length >> 10,
            window >> 10,
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        self.near.sends_at_once = true;
        self.far.sends_at_once = true;
        echo::run(NAME, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        self.near.sends_at_once = false;
        self.far.sends_at_once = false;
        throughput::run(NAME, &mut self.near, &mut self.far, plan)
    }

    fn keep_alive(&mut self) {
        self.near.keep_alive();
        self.far.keep_alive();
    }

    fn details(&self) -> Option<Details> {
        let UdpSettings { mtu, window, .. } = self.settings;
        Some(Details::Udp {
            transport: "sockets".to_owned(),
            offload: false,
            mtu,
            window,
            streams: 1,
            loss_ppm: 0,
            near_calls_per_msg: None,
            far_calls_per_msg: None,
            ratio_to_plain: None,
        })
    }
}

impl Endpoint {
    fn open(dir: &AeronDir, settings: &UdpSettings, out: &str, back: &str) -> Result<Self, PeerError> {
        let network = settings.tuned.then_some(NetworkSettings { so_rcvbuf: settings.window, io_vectors: 16 });
        let mut driver = EmbeddedDriver::start(&DriverSettings {
            dir: Some(dir.path().to_owned()),
            threading_mode: Some(ThreadingMode::Invoker),
            ipc_term_length: None,
            network,
        })?;
        let path = dir.path();
        // The driver has to run while the client connects and waits for its answers.
        let (client, publication, subscription) = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let client = Client::connect_with(path, &ClientOptions { invoked: true, ..ClientOptions::default() })?;
                let subscription = client.add_subscription(back, STREAM)?;
                let publication = client.add_exclusive_publication(out, STREAM)?;
                Ok::<_, PeerError>((client, publication, subscription))
            });
            while !worker.is_finished() {
                driver.do_work();
            }
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let message = Vec::with_capacity(64 * 1024);
        Ok(Self { publication, subscription, client, driver, message })
    }

    fn is_connected(&self) -> bool {
        self.publication.is_connected() && self.subscription.is_connected()
    }
}

impl DrivenEnd for Endpoint {
    #[inline]
    fn offer(&mut self, message: &[u8]) -> bool {
        self.publication.offer(message).is_ok()
    }

    #[inline]
    fn take(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> Taken {
        let Self { subscription, message, .. } = self;
        let mut taken = Taken::default();
        subscription.poll(
            |fragment| {
                let (payload, flags) = (fragment.payload(), fragment.flags());
                taken.bytes += payload.len();
                if flags & (BEGIN | END) == BEGIN | END {
                    on_message(payload);
                    taken.messages += 1;
                    return;
                }
                if flags & BEGIN != 0 {
                    message.clear();
                }
                message.extend_from_slice(payload);
                if flags & END != 0 {
                    on_message(message);
                    taken.messages += 1;
                }
            },
            limit,
        );
        taken
    }

    #[inline]
    fn drive(&mut self) {
        self.driver.do_work();
    }

    fn serve_client(&mut self) {
        // A client that fails closes its publication, which the loops detect.
        let _ = self.client.service();
    }
}
