//! The same scenes between drivers of each kind, frame by frame: what each sends, in which order, with which flags and
//! positions. What Aeron's drivers tell each other is what ours has to tell them.
//!
//! Drivers repeat themselves as time passes. So only the first of equal frames counts, and a scene goes on only after the
//! frame that shows that all is quiet: a heartbeat at the position reached. Where a receiver reports its position depends
//! on when its subscriber reads, so these are left out.

mod scene;
mod transcript;

use crate::hosts::{Host, PAIRINGS, STREAM, free_port, message, wait_for};
use crate::relay;
use gannet::counters::type_id;
use gannet_peers::driver::DriverKind;
use scene::{Path, SENT, Scene, TERM_LENGTH, heartbeat};
use std::net::SocketAddr;
use transcript::{BACK, FORTH, Transcript};

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
        let mut scene = Scene::start(Path::Address, pairing, None);
        // To the second term, past padding.
        for length in [100, 3_000, 0].into_iter().chain([8_000; 9]) {
            scene.send(length);
            scene.settle();
        }
        let end = heartbeat(0xe0, scene.position());
        assert!(scene.position() > TERM_LENGTH);
        let Scene { publication, subscription: _subscription, transcript, network: _network, hosts: _hosts, .. } =
            scene;
        drop(publication);
        transcript.until([&end, "SM 40 "])
    });
}

/// One frame in the middle of a message is lost: exactly that is asked for, and sent again.
#[test]
fn a_loss_is_told_alike() {
    const FRAME: i32 = 1_408;
    compare(|pairing| {
        let mut scene = Scene::start(Path::Address, pairing, Some(FRAME));
        scene.send(4_000);
        scene.settle();
        let again = format!("DATA 00 {FRAME} at 7:{FRAME}");
        scene.transcript.until([&again, &format!("NAK 00 28 for {FRAME} at 7:{FRAME}")])
    });
}

#[test]
fn a_rejection_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(Path::Address, pairing, None);
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
        let mut scene = Scene::start(Path::Address, pairing, None);
        scene.send(100);
        scene.settle();
        let end = heartbeat(0xf0, scene.position());
        let Scene { publication, subscription: _subscription, transcript, network: _network, hosts: _hosts, .. } =
            scene;
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
        let (place, _network) = relay::tapped(endpoint, transcript.tap(FORTH), transcript.tap(BACK));
        let channel = format!("aeron:udp?endpoint={place}");
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
        transcript.until([setup, "SM 00 36 of 77:1001 window 32768"])
    });
}

/// A receiver that comes to a running stream asks for a setup.
#[test]
fn a_receiver_that_comes_again_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(Path::Address, pairing, None);
        scene.send(100);
        scene.settle();
        let Scene { publication, subscription, transcript, received, network: _network, hosts, .. } = scene;
        drop(subscription);
        wait_for("end of the connection", || !publication.is_connected());
        let mut again = None;
        // An endpoint that is being closed is refused for a moment.
        wait_for("endpoint", || {
            again = hosts[1].client.add_subscription(&received, STREAM).ok();
            again.is_some()
        });
        wait_for("connection", || publication.is_connected());
        transcript.until(["SETUP 00 40 terms 7 7:160 ", "SM 80 "])
    });
}

/// The receiver stops reading. Both go on saying where they are, and nothing is sent beyond the window.
#[test]
fn a_standstill_is_told_alike() {
    const WINDOW: i64 = TERM_LENGTH / 2;
    /// With its header, a divisor of the window.
    const MESSAGE: usize = 1_024 - 32;
    compare(|pairing| {
        let mut scene = Scene::start(Path::Address, pairing, None);
        while scene.position() < TERM_LENGTH {
            scene.send(MESSAGE);
        }
        let (held, told) = (heartbeat(0xc0, WINDOW), "SM 00 36 of 77:1001 window 32768 at 7:0");
        scene.transcript.wait_for(FORTH, &held);
        scene.transcript.wait_for_more(FORTH, &held);
        scene.transcript.wait_for_more(BACK, told);
        let [forth, back] = scene.transcript.heard();
        let last = forth.iter().rev().find(|frame| !frame.starts_with(&held));
        assert_eq!(last.map(String::as_str), Some("DATA c0 1024 at 7:31744"), "{pairing:?}");
        assert!(back.iter().all(|frame| frame == told), "{pairing:?}: {back:?}");
        // It was the receiver that held it.
        scene.settle();
        scene.transcript.until([&heartbeat(0xc0, TERM_LENGTH), told])
    });
}

/// A receiver registers with a publication, again and again. It is forgotten once it is not heard for long, and comes
/// back.
#[test]
fn a_registration_is_told_alike() {
    compare(|pairing| {
        let mut scene = Scene::start(Path::Registered, pairing, None);
        scene.transcript.wait_for_more(BACK, "SM 80 36 of 0:0 window 0 at 0:0");
        scene.send(100);
        scene.settle();
        wait_for("registration", || scene.of_sender(type_id::MDC_DESTINATIONS) == Some(1));
        scene.send_unheard(200);
        scene.settle();
        // It was sent to nobody, so the receiver has to ask for it.
        scene.transcript.until(["DATA c0 232 at 7:160", "NAK 00 28 for 256 at 7:160"])
    });
}

/// A stream to a multicast group: setup, a loss, the end of a term, and the end of the stream.
#[test]
fn a_group_is_told_alike() {
    const FRAME: i32 = 1_408;
    compare(|pairing| {
        let mut scene = Scene::start(Path::Group, pairing, Some(FRAME));
        for length in [4_000, 0].into_iter().chain([8_000; 9]) {
            scene.send(length);
            scene.settle();
        }
        let end = heartbeat(0xe0, scene.position());
        assert!(scene.position() > TERM_LENGTH);
        let Scene { publication, subscription: _subscription, transcript, network: _network, hosts: _hosts, .. } =
            scene;
        drop(publication);
        transcript.until([&end, "SM 40 "])
    });
}
