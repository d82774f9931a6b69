//! Drivers with their clients, and a stream whose messages are all checked.

use crate::ports;
use gannet::{Client, Context, ExclusivePublication, OfferError, Subscription};
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
pub(crate) const STREAM: i32 = 1001;

/// The drivers of sender and receiver.
pub(crate) const PAIRINGS: [(DriverKind, DriverKind); 3] = [
    (DriverKind::Aeron, DriverKind::Aeron),
    (DriverKind::Gannet, DriverKind::Aeron),
    (DriverKind::Aeron, DriverKind::Gannet),
];

/// A driver and a client of it. The client is dropped first, and the directory last.
pub(crate) struct Host {
    pub(crate) client: Client,
    driver: DriverProcess,
    _dir: AeronDir,
}

impl Host {
    pub(crate) fn start(kind: DriverKind) -> Self {
        Self::with(kind, &[])
    }

    /// A host whose driver has these additional settings.
    pub(crate) fn with(kind: DriverKind, settings: &[(&str, &str)]) -> Self {
        let (driver, dir) = start_driver(kind, settings);
        let context = Context::new().dir(dir.path()).driver_timeout(Duration::from_secs(60));
        let client = Client::connect(context).expect("the client connects");
        Self { client, driver, _dir: dir }
    }

    /// Kills the driver without the client's knowledge.
    pub(crate) fn kill(self) {
        self.driver.kill().expect("the driver ends");
    }
}

/// Timeouts that no pause of a busy machine comes near, but for tests of timeouts: a stream that begins anew, a group that
/// goes on without a receiver, or a publication that goes before it could tell of its end, is not what the others are
/// about.
const PATIENT: [(&str, &str); 5] = [
    ("aeron.timer.interval", "50ms"),
    ("aeron.image.liveness.timeout", "60s"),
    ("aeron.publication.connection.timeout", "60s"),
    ("aeron.publication.linger.timeout", "60s"),
    ("aeron.flow.control.receiver.timeout", "60s"),
];

/// A driver with these settings besides those of every test here, and its directory.
pub(crate) fn start_driver(kind: DriverKind, settings: &[(&str, &str)]) -> (DriverProcess, AeronDir) {
    let dir = AeronDir::unique("udp");
    let options = PATIENT.iter().fold(DriverOptions::patient(), |options, (name, value)| options.with(name, value));
    let options = settings.iter().fold(options, |options, (name, value)| options.with(name, value));
    (DriverProcess::start(kind, dir.path(), &options).expect("the driver starts"), dir)
}

pub(crate) fn free_port() -> u16 {
    ports::free_port().unwrap()
}

/// How one publication reaches several receivers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// All of them hear a multicast group.
    Multicast,
    /// Each has an address, with which it registers at the publication's.
    Registered,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Multicast, Self::Registered];

    /// The channel of a publication, and those of two receivers.
    pub(crate) fn channels(self) -> (String, [String; 2]) {
        match self {
            Self::Multicast => {
                let group = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
                (group.clone(), [group.clone(), group])
            }
            Self::Registered => {
                let control = format!("aeron:udp?control=127.0.0.1:{}", free_port());
                let receivers = [0; 2].map(|_| format!("{control}|endpoint=127.0.0.1:{}", free_port()));
                (format!("{control}|control-mode=dynamic"), receivers)
            }
        }
    }
}

pub(crate) fn message(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (number * 31 + index) as u8).collect()
}

pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "no {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Sends messages of these lengths once everyone is connected, and checks that every subscription reads all of them
/// complete and in order.
pub(crate) fn deliver(publication: &mut ExclusivePublication, subscriptions: &mut [Subscription], lengths: &[usize]) {
    wait_for("receivers", || publication.is_connected() && subscriptions.iter().all(Subscription::is_connected));
    let mut received = vec![(0, Vec::new()); subscriptions.len()];
    let mut sent = 0;
    wait_for("delivery", || {
        while sent < lengths.len() {
            match publication.offer(&message(sent, lengths[sent])) {
                Ok(_) => sent += 1,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for (subscription, (number, assembled)) in subscriptions.iter_mut().zip(&mut received) {
            subscription.poll(
                |fragment| {
                    assembled.extend_from_slice(fragment.payload());
                    if fragment.flags() & gannet::logbuffer::flags::END != 0 {
                        assert!(*assembled == message(*number, lengths[*number]), "message {number} differs");
                        *number += 1;
                        assembled.clear();
                    }
                },
                256,
            );
        }
        received.iter().all(|(number, _)| *number == lengths.len())
    });
}
