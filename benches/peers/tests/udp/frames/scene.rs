//! A stream between two drivers whose frames are written down.

use super::transcript::{BACK, FORTH, Transcript};
use crate::hosts::{Host, STREAM, free_port, message, wait_for};
use crate::relay::{self, Forwarders, Tap};
use gannet::counters::type_id;
use gannet::{ExclusivePublication, OfferError, Subscription};
use gannet_peers::driver::DriverKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const INITIAL_TERM_ID: i32 = 7;
pub(super) const TERM_LENGTH: i64 = 65_536;
/// What all publications here have in their channel.
pub(super) const SENT: &str = "term-length=64k|mtu=1408|session-id=77|init-term-id=7|term-id=7|term-offset=0";

/// How sender and receiver know of each other.
#[derive(Clone, Copy)]
pub(super) enum Path {
    /// The sender has the receiver's address.
    Address,
    /// The receiver has the sender's address, and registers there.
    Registered,
    /// Both are in a multicast group.
    Group,
}

impl Path {
    /// A network with these taps, and the channels of sender and receiver.
    fn lay(self, forth: impl Tap, back: impl Tap) -> (Forwarders, [String; 2]) {
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        match self {
            Self::Address => {
                let endpoint = local();
                let (place, network) = relay::tapped(endpoint, forth, back);
                (network, [place, endpoint].map(|place| format!("aeron:udp?endpoint={place}")))
            }
            Self::Registered => {
                let (control, endpoint) = (local(), local());
                // What the receiver says comes first, and the sender answers it.
                let (place, network) = relay::tapped(control, back, forth);
                let sent = format!("aeron:udp?control={control}|control-mode=dynamic");
                (network, [sent, format!("aeron:udp?endpoint={endpoint}|control={place}")])
            }
            Self::Group => {
                let port = free_port();
                let [received, _] = relay::receivers_groups(port);
                (relay::tapped_groups(port, [(forth, back)]), [relay::senders_group(port), received])
            }
        }
    }
}

/// A stream whose frames are written down. Fields are dropped in this order.
pub(super) struct Scene {
    pub(super) publication: ExclusivePublication,
    pub(super) subscription: Subscription,
    pub(super) transcript: Transcript,
    /// The channel of the receiver.
    pub(super) received: String,
    /// Whether nothing arrives of what the receiver says.
    mute: Arc<AtomicBool>,
    pub(super) network: Forwarders,
    pub(super) hosts: [Host; 2],
}

impl Scene {
    /// The publisher comes first. The first message at the offset `lost` does not arrive.
    pub(super) fn start(path: Path, (sending, receiving): (DriverKind, DriverKind), lost: Option<i32>) -> Self {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let transcript = Transcript::default();
        let forth = transcript.tap_without(lost.map(|offset| format!("{INITIAL_TERM_ID}:{offset}")));
        let mute = Arc::new(AtomicBool::new(false));
        let (is_mute, mut tell) = (Arc::clone(&mute), transcript.tap(BACK));
        let back = move |datagram: &[u8]| is_mute.load(Ordering::Relaxed) || tell(datagram);
        let (network, [sent, received]) = path.lay(forth, back);
        let publication = from.client.add_exclusive_publication(&format!("{sent}|{SENT}"), STREAM).unwrap();
        match path {
            Path::Address => transcript.wait_for(FORTH, "SETUP 00 40 terms 7 7:0 of 65536, 1408 0"),
            Path::Group => transcript.wait_for(FORTH, "SETUP 40 40 terms 7 7:0 of 65536, 1408 0"),
            // Nobody is there to tell.
            Path::Registered => {}
        }
        let subscription = to.client.add_subscription(&format!("{received}|rejoin=false"), STREAM).unwrap();
        let hosts = [from, to];
        let mut scene = Self { publication, subscription, transcript, received, mute, network, hosts };
        wait_for("receiver", || scene.publication.is_connected() && scene.subscription.is_connected());
        scene.settle();
        scene
    }

    pub(super) fn position(&self) -> i64 {
        self.publication.position().expect("an open publication").get()
    }

    /// The value of a counter of the publication, or of its channel.
    pub(super) fn of_sender(&self, type_id: i32) -> Option<i64> {
        let counters = self.hosts[0].client.counters();
        counters.find(type_id, self.publication.registration_id()).and_then(|id| counters.value(id))
    }

    /// Sends a message of this length. At the end of a term, waits until all is quiet there.
    pub(super) fn send(&mut self, length: usize) {
        wait_for("room", || match self.publication.offer(&message(0, length)) {
            Ok(_) => true,
            Err(OfferError::AdminAction) => {
                self.settle();
                false
            }
            Err(OfferError::BackPressured) => false,
            Err(error) => panic!("{error}"),
        });
    }

    /// Reads everything, and waits for the heartbeat after it.
    pub(super) fn settle(&mut self) {
        let end = self.position();
        wait_for("all that was sent", || {
            self.subscription.poll(|_| {}, 64);
            self.subscription.images()[0].position().get() == end
        });
        self.transcript.wait_for(FORTH, &heartbeat(0xc0, end));
    }

    /// Sends a message while the receiver is not heard, once the sender has forgotten it.
    pub(super) fn send_unheard(&mut self, length: usize) {
        self.mute.store(true, Ordering::Relaxed);
        wait_for("end of the registration", || self.of_sender(type_id::MDC_DESTINATIONS) == Some(0));
        self.send(length);
        let end = Some(self.position());
        wait_for("a message to nobody", || self.of_sender(type_id::SENDER_POSITION) == end);
        self.mute.store(false, Ordering::Relaxed);
    }
}

/// The heartbeat at a position.
pub(super) fn heartbeat(flags: u8, position: i64) -> String {
    let term_id = i64::from(INITIAL_TERM_ID) + position / TERM_LENGTH;
    format!("DATA {flags:02x} 0 at {term_id}:{}", position % TERM_LENGTH)
}
