//! Requests that a driver refuses, and the error codes it answers.

use crate::setup::{CHANNEL, Setup};
use gannet_peers::endpoint::Kind;

const STREAM: i32 = 1001;
const INVALID_CHANNEL: i32 = 1;
const GENERIC: i32 = 11;

pub(crate) fn what_is_wrong_with_a_channel_is_told_by_code(setup: &Setup) {
    let running = setup.start();
    let publications = [
        ("ipc", INVALID_CHANNEL),
        ("aeron:carrier-pigeon", INVALID_CHANNEL),
        ("aeron:ipc?term-length|mtu=1408", INVALID_CHANNEL),
        ("aeron:ipc?term-length=1000", GENERIC),
        ("aeron:ipc?term-length=2g", GENERIC),
        ("aeron:ipc?mtu=100", GENERIC),
        ("aeron:ipc?session-id=many", GENERIC),
        ("aeron:ipc?init-term-id=3|term-id=4", GENERIC),
    ];
    for (channel, code) in publications {
        for kind in Kind::ALL {
            let refusal = running.publisher.add_publication(kind, channel, STREAM).expect_err(channel);
            assert_eq!(refusal.code, Some(code), "{channel}: {refusal}");
        }
    }
    for (channel, code) in [("ipc", INVALID_CHANNEL), ("aeron:ipc?tether=maybe", GENERIC)] {
        let refusal = running.subscriber.add_subscription(channel, STREAM).expect_err(channel);
        assert_eq!(refusal.code, Some(code), "{channel}: {refusal}");
    }
    running.publisher.add_publication(Kind::Concurrent, CHANNEL, STREAM).expect("a good channel is still taken");
}

pub(crate) fn a_session_id_that_is_taken_is_refused(setup: &Setup) {
    let running = setup.start();
    let channel = "aeron:ipc?session-id=7|term-length=64k";
    let first = running.publisher.add_publication(Kind::Exclusive, channel, STREAM).expect("the first of its session");
    assert_eq!(first.identity().session_id, 7);
    let refusal = running.publisher.add_publication(Kind::Exclusive, channel, STREAM).expect_err("session 7 is taken");
    assert_eq!(refusal.code, Some(INVALID_CHANNEL), "{refusal}");
    running.publisher.add_publication(Kind::Exclusive, channel, STREAM + 1).expect("another stream may use it");
}
