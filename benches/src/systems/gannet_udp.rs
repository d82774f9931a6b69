//! Gannet over UDP on the loopback interface: two ends, each with a driver and a client of its own. With two cores
//! there is one thread per end, which runs its driver in invoker mode. Results say so.

use std::fs;
use std::time::Duration;

use gannet::logbuffer::{Fragment, FragmentAssembler};
use gannet::{Client, Context, ExclusivePublication, ImageHandlers, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, ThreadingMode, TransportName};

use super::System;
use super::driven::{Driven, DrivenEnd, Taken};
use super::gannet::{GANNET, failed, settle};
use crate::ports;
use crate::rig::RigError;
use crate::rig::echo::{self, EchoOutcome, EchoPlan};
use crate::rig::measurement::Details;
use crate::rig::schedule::now_ns;
use crate::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use crate::rig::transceiver::Transceiver as _;

const STREAM: i32 = 1;
/// An end gives its driver a turn after at most this many bytes, which is what a receiver takes before it sends a
/// status message.
pub const BYTES_PER_TURN: usize = 32 * 1024;
/// With several streams, the multiple of that at most. When the driver is busy, each of its streams has more to send
/// per turn.
const MOST_SHARES: usize = 8;
/// The greatest buffer in bytes that is requested for a socket. The system may give less.
const MAX_SOCKET_BUFFER: usize = 4 << 20;
/// Length in bytes of the messages that warm the logs up.
const WARM_UP_LENGTH: usize = 1024;
/// How long connecting may take, in nanoseconds.
const PATIENCE_NS: i64 = 60_000_000_000;

/// The settings of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpSettings {
    /// The transport.
    pub transport: TransportName,
    /// Whether to pass runs of datagrams of equal length to the kernel in one piece.
    pub offload: bool,
    /// The number of streams from the near end to the far end.
    pub streams: usize,
    /// How many of a million datagrams that arrive at an end are lost.
    pub loss_ppm: u32,
    /// Bytes of a term.
    pub term_length: usize,
    /// The MTU: the length of the longest datagram in bytes.
    pub mtu: usize,
    /// Bytes of the receiver's window.
    pub window: usize,
}

impl Default for UdpSettings {
    fn default() -> Self {
        Self {
            transport: TransportName::Auto,
            offload: true,
            streams: 1,
            loss_ppm: 0,
            term_length: 1 << 20,
            mtu: 1408,
            window: 128 << 10,
        }
    }
}

/// Gannet over UDP as a system.
pub struct GannetUdp {
    settings: UdpSettings,
    transport: String,
    near: Driven<End>,
    far: Driven<End>,
}

/// One end: its driver and client, publications to the other end, and subscriptions to it. Handles are dropped before
/// the driver.
struct End {
    publications: Vec<ExclusivePublication>,
    subscription: Subscription,
    assembler: FragmentAssembler,
    client: Client,
    driver: MediaDriver,
    /// The index of the publication that sends the next message.
    next: usize,
}

impl UdpSettings {
    /// The same settings for several streams. Their windows together must fit into one socket's buffer, or datagrams
    /// would be lost there.
    #[must_use]
    pub fn of_many(self, streams: usize) -> Self {
        let window = self.window.min((largest_socket_buffer() / streams.max(1)).next_multiple_of(1024));
        Self { streams, window, ..self }
    }
}

impl GannetUdp {
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
        let bytes_per_turn = BYTES_PER_TURN * settings.streams.clamp(1, MOST_SHARES);
        let mut near = Driven::new(End::open(&settings, &out, settings.streams, &back)?, bytes_per_turn);
        let mut far = Driven::new(End::open(&settings, &back, 1, &out)?, bytes_per_turn);
        let start_ns = now_ns();
        while !(near.end.is_connected(1) && far.end.is_connected(settings.streams)) {
            near.turn();
            far.turn();
            if now_ns() - start_ns > PATIENCE_NS {
                return Err(RigError::system(GANNET, "connecting", "the two ends did not find each other"));
            }
        }
        let transport = near.end.driver.transport().to_owned();
        let mut this = Self { settings, transport, near, far };
        // Sends once through every term of every log, so that no page is touched for the first time while something is
        // measured.
        let message = [0x5a; WARM_UP_LENGTH];
        this.stream_on_one_thread(&message, settings.streams * 3 * settings.term_length / WARM_UP_LENGTH);
        Ok(this)
    }
}

impl GannetUdp {
    /// Sends a message to the far end and back, with both ends on the calling thread. For measuring its CPU time.
    ///
    /// # Panics
    ///
    /// When the message does not come back.
    pub fn round_trip_on_one_thread(&mut self, message: &[u8]) {
        for is_out in [true, false] {
            let (from, to) = if is_out { (&mut self.near, &mut self.far) } else { (&mut self.far, &mut self.near) };
            from.sends_at_once = true;
            let start_ns = now_ns();
            while !from.try_send(message) {
                from.turn();
                to.turn();
                assert!(now_ns() - start_ns < PATIENCE_NS, "{GANNET} takes no message");
            }
            while to.poll(1, |_| {}) == 0 {
                assert!(now_ns() - start_ns < PATIENCE_NS, "{GANNET} lost a message");
            }
        }
    }

    /// Sends messages from the near end to the far end, with both ends on the calling thread. For measuring their CPU
    /// time.
    ///
    /// # Panics
    ///
    /// When the messages do not arrive.
    pub fn stream_on_one_thread(&mut self, message: &[u8], messages: usize) {
        self.near.sends_at_once = false;
        let (mut sent, mut received, start_ns) = (0, 0, now_ns());
        while received < messages {
            while sent < messages && self.near.try_send(message) {
                sent += 1;
                if self.near.is_fresh() {
                    break;
                }
            }
            self.near.turn();
            loop {
                let taken = self.far.poll(64, |_| {});
                received += taken;
                // Several streams send more than one poll takes in a turn.
                if taken == 0 || self.settings.streams == 1 {
                    break;
                }
            }
            assert!(now_ns() - start_ns < PATIENCE_NS, "{GANNET} lost messages");
        }
    }
}

/// The greatest receive buffer of a socket on this system, up to what measurements need.
pub fn largest_socket_buffer() -> usize {
    let limit = fs::read_to_string("/proc/sys/net/core/rmem_max").ok().and_then(|text| text.trim().parse().ok());
    limit.unwrap_or(UdpSettings::default().window).min(MAX_SOCKET_BUFFER)
}

/// A port for a channel of the rig. If another program takes it meanwhile, opening the channel fails.
pub fn free_port() -> Result<u16, RigError> {
    ports::free_port().map_err(failed("cannot find a free port"))
}

impl System for GannetUdp {
    fn name(&self) -> &str {
        GANNET
    }

    fn describe(&self) -> String {
        let UdpSettings { offload, streams, term_length, mtu, window, .. } = self.settings;
        format!(
            "{}, offload {}, {streams} stream(s), terms of {} KiB, datagrams of up to {mtu} bytes, window of {} KiB; an end's thread runs \
             its driver, too (invoker)",
            self.transport,
            if offload { "on" } else { "off" },
            term_length >> 10,
            window >> 10,
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        self.near.sends_at_once = true;
        self.far.sends_at_once = true;
        echo::run(GANNET, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        self.near.sends_at_once = false;
        self.far.sends_at_once = false;
        self.near.end.next = 0;
        throughput::run(GANNET, &mut self.near, &mut self.far, plan)
    }

    fn keep_alive(&mut self) {
        self.near.keep_alive();
        self.far.keep_alive();
    }

    fn details(&self) -> Option<Details> {
        let UdpSettings { offload, streams, loss_ppm, mtu, window, .. } = self.settings;
        Some(Details::Udp {
            transport: self.transport.clone(),
            offload,
            mtu,
            window,
            streams,
            loss_ppm,
            near_calls_per_msg: None,
            far_calls_per_msg: None,
            ratio_to_plain: None,
        })
    }

    fn calls(&self) -> Option<[u64; 2]> {
        Some([self.near.end.calls()?, self.far.end.calls()?])
    }
}

impl End {
    fn open(settings: &UdpSettings, out: &str, streams: usize, back: &str) -> Result<Self, RigError> {
        let mut config = DriverConfig::for_profile(Profile::Balanced);
        config.threads.mode = ThreadingMode::Invoker;
        config.process.transport = settings.transport;
        config.process.segmentation_offload = settings.offload;
        config.loss.drop_ppm = settings.loss_ppm;
        // The socket needs room for the window, and the kernel counts more than the length of a datagram.
        let windows = (settings.window * settings.streams).clamp(128 << 10, MAX_SOCKET_BUFFER);
        let buffer = ByteLength::new(windows as u64);
        config.network.so_rcvbuf = Some(buffer);
        let mut driver = MediaDriver::launch_embedded(config).map_err(failed("cannot start an embedded driver"))?;
        let context = Context::new().dir(driver.dir()).client_name("rig").use_conductor_invoker();
        let client =
            Client::connect(context.driver_timeout(Duration::from_secs(60))).map_err(failed("cannot connect"))?;
        // Requested without waiting, since only this thread runs the driver.
        let mut subscription = client
            .async_add_subscription(back, STREAM, ImageHandlers::new())
            .map_err(failed("cannot ask for a subscription"))?;
        let subscription = settle(&mut driver, &client, || subscription.poll())?;
        let mut publications = Vec::with_capacity(streams);
        for _ in 0..streams {
            let mut publication =
                client.async_add_exclusive_publication(out, STREAM).map_err(failed("cannot ask for a publication"))?;
            publications.push(settle(&mut driver, &client, || publication.poll())?);
        }
        Ok(Self { publications, subscription, assembler: FragmentAssembler::new(), client, driver, next: 0 })
    }

    fn is_connected(&mut self, images: usize) -> bool {
        self.publications.iter().all(ExclusivePublication::is_connected) && self.subscription.image_count() == images
    }

    fn calls(&self) -> Option<u64> {
        let counts = self.driver.transport_counts()?;
        Some(counts.iter().map(|counts| counts.send_calls + counts.receive_calls).sum())
    }
}

impl DrivenEnd for End {
    #[inline]
    fn offer(&mut self, message: &[u8]) -> bool {
        if self.publications[self.next].offer(message).is_err() {
            return false;
        }
        self.next = if self.next + 1 < self.publications.len() { self.next + 1 } else { 0 };
        true
    }

    #[inline]
    fn take(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> Taken {
        let mut taken = Taken::default();
        let assembled = self.assembler.assemble(|message: Fragment<'_>| {
            taken.bytes += message.payload().len();
            taken.messages += 1;
            on_message(message.payload());
        });
        self.subscription.poll(assembled, limit);
        taken
    }

    #[inline]
    fn drive(&mut self) {
        self.driver.invoke();
    }

    fn serve_client(&mut self) {
        self.client.invoke();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    #[test]
    fn every_message_comes_back_and_every_message_arrives() {
        let cores = Cores { near: None, far: None };
        for (streams, loss_ppm) in [(1, 0), (3, 10_000)] {
            let settings = UdpSettings {
                transport: TransportName::Sockets,
                streams,
                loss_ppm,
                term_length: 256 << 10,
                ..UdpSettings::default()
            };
            let mut gannet = GannetUdp::open(settings).expect("embedded drivers start anywhere");
            let echo = EchoPlan { size: 32, rate_per_s: 2_000, warm_up: 10, messages: 100, cores };
            let outcome = gannet.echo(&echo).expect("the ends are connected");
            assert_eq!((outcome.latencies.samples(), outcome.lost), (100, 0));
            gannet.keep_alive();
            for size in [32, 20_000] {
                let plan = ThroughputPlan { size, duration_ms: 5, streams, cores };
                let outcome = gannet.throughput(&plan).expect("the ends are connected");
                assert!(outcome.received > 0 && outcome.lost == 0);
            }
            assert!(gannet.calls().is_some_and(|[near, far]| near > 0 && far > 0));
        }
    }
}
