//! The same scenes between drivers of each kind, frame by frame: what each sends, in which order, with which flags and
//! positions. What Aeron's drivers tell each other is what ours has to tell them.
//!
//! Drivers repeat themselves as time passes. So only the first of equal frames counts, and a scene goes on only after the
//! frame that shows that all is quiet: a heartbeat at the position reached. Where a receiver reports its position depends
//! on when its subscriber reads, so these are left out.

use crate::hosts::{Host, PAIRINGS, STREAM, free_port, message, wait_for};
use crate::relay::Relay;
use gannet::{ExclusivePublication, OfferError, Subscription};
use gannet_peers::driver::DriverKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const INITIAL_TERM_ID: i32 = 7;
const TERM_LENGTH: i64 = 65_536;
/// What all publications here have in their channel.
const SENT: &str = "term-length=64k|mtu=1408|session-id=77|init-term-id=7|term-id=7|term-offset=0";

/// The frames seen each way, the first of equal ones only.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<[Vec<String>; 2]>>);

/// How the heartbeat of a stream that goes on begins.
const HEARTBEAT: &str = "DATA c0 0 ";
const FORTH: usize = 0;
const BACK: usize = 1;

impl Transcript {
    fn hear(&self, way: usize, datagram: &[u8]) {
        let mut seen = self.0.lock().expect("nobody panics with it");
        for frame in frames(datagram) {
            if !seen[way].contains(&frame) {
                seen[way].push(frame);
            }
        }
    }

    /// Waits for a frame that begins so.
    fn wait_for(&self, way: usize, frame: &str) {
        wait_for(frame, || {
            self.0.lock().expect("nobody panics with it")[way].iter().any(|seen| seen.starts_with(frame))
        });
    }

    /// The frames up to those that begin so, once they were sent.
    fn until(&self, last: [&str; 2]) -> [Vec<String>; 2] {
        self.wait_for(FORTH, last[FORTH]);
        self.wait_for(BACK, last[BACK]);
        let mut seen = self.0.lock().expect("nobody panics with it").clone();
        for (frames, last) in seen.iter_mut().zip(last) {
            let end = frames.iter().position(|frame| frame.starts_with(last)).expect("it was waited for");
            frames.truncate(end + 1);
            // A busy machine makes more of them, and each that should be there was waited for.
            frames.retain(|frame| !frame.starts_with(HEARTBEAT));
        }
        seen
    }
}

/// The frames of a datagram, in words.
fn frames(datagram: &[u8]) -> Vec<String> {
    let word = |at: usize| datagram.get(at..at + 4).map_or(-1, |bytes| i32::from_le_bytes(bytes.try_into().unwrap()));
    let (mut found, mut at) = (Vec::new(), 0);
    while at + 8 <= datagram.len() {
        let (length, flags) = (word(at), datagram[at + 5]);
        let kind = u16::from_le_bytes([datagram[at + 6], datagram[at + 7]]);
        let head = format!("{flags:02x} {length}");
        match kind {
            0 | 1 => {
                let name = if kind == 0 { "PAD" } else { "DATA" };
                found.push(format!("{name} {head} at {}:{}", word(at + 20), word(at + 8)));
                if kind == 1 && length > 0 {
                    at += (length as usize).next_multiple_of(32);
                    continue;
                }
            }
            2 => found.push(format!("NAK {head} for {} at {}:{}", word(at + 24), word(at + 16), word(at + 20))),
            3 => found.push(format!("SM {head} window {}", word(at + 24))),
            4 => {
                let text = String::from_utf8_lossy(&datagram[(at + 40).min(datagram.len())..]);
                found.push(format!("ERR {head} code {} {text}", word(at + 32)));
            }
            5 => {
                let terms = format!("{} {}:{}", word(at + 20), word(at + 24), word(at + 8));
                found.push(format!(
                    "SETUP {head} terms {terms} of {}, {} {}",
                    word(at + 28),
                    word(at + 32),
                    word(at + 36)
                ));
            }
            _ => found.push(format!("type {kind:x} {head}")),
        }
        break;
    }
    found
}

/// The heartbeat at a position.
fn heartbeat(flags: u8, position: i64) -> String {
    let term_id = i64::from(INITIAL_TERM_ID) + position / TERM_LENGTH;
    format!("DATA {flags:02x} 0 at {term_id}:{}", position % TERM_LENGTH)
}

/// A stream whose frames are written down. Fields are dropped in this order.
struct Scene {
    publication: ExclusivePublication,
    subscription: Subscription,
    transcript: Transcript,
    endpoint: SocketAddr,
    _relay: Relay,
    hosts: [Host; 2],
}

impl Scene {
    /// The publisher comes first. The first data frame at the offset `lost` does not arrive.
    fn start((sending, receiving): (DriverKind, DriverKind), lost: Option<i32>) -> Self {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let transcript = Transcript::default();
        let [forth, back] = [0; 2].map(|_| transcript.clone());
        let mut lost = lost.map(|offset| format!("at {INITIAL_TERM_ID}:{offset}"));
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let relay = Relay::tapped(
            endpoint,
            move |datagram| {
                let is_data = |frame: &String| frame.starts_with("DATA") && !frame.starts_with(HEARTBEAT);
                let is_it = |frame: &String| lost.as_ref().is_some_and(|lost| is_data(frame) && frame.ends_with(lost));
                let takes = frames(datagram).iter().any(is_it);
                if takes {
                    lost = None;
                } else {
                    forth.hear(FORTH, datagram);
                }
                takes
            },
            move |datagram| {
                back.hear(BACK, datagram);
                false
            },
        );
        let channel = format!("aeron:udp?endpoint={}|{SENT}", relay.address());
        let publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        transcript.wait_for(FORTH, "SETUP 00 40 terms 7 7:0 of 65536, 1408 0");
        let channel = format!("aeron:udp?endpoint={endpoint}|rejoin=false");
        let subscription = to.client.add_subscription(&channel, STREAM).unwrap();
        let mut scene = Self { publication, subscription, transcript, endpoint, _relay: relay, hosts: [from, to] };
        wait_for("receiver", || scene.publication.is_connected() && scene.subscription.is_connected());
        scene.settle();
        scene
    }

    fn position(&self) -> i64 {
        self.publication.position().expect("an open publication").get()
    }

    /// Sends a message of this length. At the end of a term, waits until all is quiet there.
    fn send(&mut self, length: usize) {
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
    fn settle(&mut self) {
        let end = self.position();
        wait_for("all that was sent", || {
            self.subscription.poll(|_| {}, 64);
            self.subscription.images()[0].position().get() == end
        });
        self.transcript.wait_for(FORTH, &heartbeat(0xc0, end));
    }
}

/// Plays a scene between Aeron's drivers, and then with ours at either end, and compares what was said.
fn compare(play: impl Fn((DriverKind, DriverKind)) -> [Vec<String>; 2]) {
    let [expected, others @ ..] = PAIRINGS;
    let expected = play(expected);
    for pairing in others {
        let found = play(pairing);
        assert_eq!(found[FORTH], expected[FORTH], "sent by {:?} to {:?}", pairing.0, pairing.1);
        assert_eq!(found[BACK], expected[BACK], "told by {:?} to {:?}", pairing.1, pairing.0);
    }
}

/// Setup, messages of one frame, of several and of no byte, the end of a term, and the end of the stream.
#[test]
fn a_stream_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(pairing, None);
        // To the second term, past padding.
        for length in [100, 3_000, 0].into_iter().chain([8_000; 9]) {
            scene.send(length);
            scene.settle();
        }
        let end = heartbeat(0xe0, scene.position());
        assert!(scene.position() > TERM_LENGTH);
        let Scene { publication, subscription: _subscription, transcript, _relay, hosts: _hosts, .. } = scene;
        drop(publication);
        transcript.until([&end, "SM 40 "])
    });
}

/// One frame in the middle of a message is lost: exactly that is asked for, and sent again.
#[test]
fn a_loss_is_told_alike() {
    const FRAME: i32 = 1_408;
    compare(|pairing| {
        let mut scene = Scene::start(pairing, Some(FRAME));
        scene.send(4_000);
        scene.settle();
        let again = format!("DATA 00 {FRAME} at 7:{FRAME}");
        scene.transcript.until([&again, &format!("NAK 00 28 for {FRAME} at 7:{FRAME}")])
    });
}

#[test]
fn a_rejection_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(pairing, None);
        scene.send(100);
        scene.settle();
        let image = scene.subscription.images()[0].info();
        scene.subscription.reject_image(&image, "enough").unwrap();
        scene.transcript.until([&heartbeat(0xc0, image.position().get()), "ERR "])
    });
}

#[test]
fn a_revocation_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(pairing, None);
        scene.send(100);
        scene.settle();
        let end = heartbeat(0xf0, scene.position());
        let Scene { publication, subscription: _subscription, transcript, _relay, hosts: _hosts, .. } = scene;
        publication.revoke();
        transcript.until([&end, "SM 00 "])
    });
}

/// A stream that a spy alone has driven tells a receiver where it is.
#[test]
fn the_position_of_a_spied_stream_is_told_alike() {
    compare(|(sending, receiving)| {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let transcript = Transcript::default();
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let [forth, back] = [FORTH, BACK].map(|way| {
            let transcript = transcript.clone();
            move |datagram: &[u8]| {
                transcript.hear(way, datagram);
                false
            }
        });
        let relay = Relay::tapped(endpoint, forth, back);
        let channel = format!("aeron:udp?endpoint={}", relay.address());
        let mut spy = from.client.add_subscription(&format!("aeron-spy:{channel}"), STREAM).unwrap();
        let sent = format!("{channel}|{SENT}|ssc=true");
        let mut publication = from.client.add_exclusive_publication(&sent, STREAM).unwrap();
        transcript.wait_for(FORTH, "SETUP 00 40 terms 7 7:0 ");
        wait_for("room", || publication.offer(&message(0, 1_000)).is_ok());
        wait_for("message", || spy.poll(|_| {}, 1) == 1);
        let setup = "SETUP 00 40 terms 7 7:1056 of 65536, 1408 0";
        transcript.wait_for(FORTH, setup);
        let mut receiver = to.client.add_subscription(&format!("aeron:udp?endpoint={endpoint}"), STREAM).unwrap();
        wait_for("the receiver's image", || receiver.is_connected());
        assert_eq!(Some(receiver.images()[0].join_position()), publication.position());
        transcript.until([setup, "SM 00 36 window 32768"])
    });
}

/// A receiver that comes to a running stream asks for a setup.
#[test]
fn a_receiver_that_comes_again_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(pairing, None);
        scene.send(100);
        scene.settle();
        let Scene { publication, subscription, transcript, endpoint, _relay, hosts } = scene;
        drop(subscription);
        wait_for("end of the connection", || !publication.is_connected());
        let mut again = None;
        // An endpoint that is being closed is refused for a moment.
        wait_for("endpoint", || {
            again = hosts[1].client.add_subscription(&format!("aeron:udp?endpoint={endpoint}"), STREAM).ok();
            again.is_some()
        });
        wait_for("connection", || publication.is_connected());
        transcript.until(["SETUP 00 40 terms 7 7:160 ", "SM 80 "])
    });
}
