//! What the metadata of the logs of network streams states, as other drivers write it and tools read it.

use std::path::Path;

use gannet::memory::AtomicBuffer;
use gannet::protocol::Setup;

use crate::network::{SETUP, present, receiver_told};
use crate::support::*;

const CHANNEL: &str = "aeron:udp?endpoint=localhost:40123";

const RECEIVER_WINDOW: usize = 288;
const SEND_BUFFER: usize = 292;
const RECEIVE_BUFFER: usize = 304;
const GROUP: usize = 488;
const IS_RESPONSE: usize = 489;

fn bytes<const LENGTH: usize>(log: &AtomicBuffer, offset: usize) -> [u8; LENGTH] {
    let mut bytes = [0xEE; LENGTH];
    log.get_bytes(offset, &mut bytes);
    bytes
}

fn int(log: &AtomicBuffer, offset: usize) -> i32 {
    i32::from_le_bytes(bytes(log, offset))
}

fn byte(log: &AtomicBuffer, offset: usize) -> u8 {
    let [byte] = bytes(log, offset);
    byte
}

/// The log of an image of a subscription to this channel.
fn image_log(channel: &str, setup: Setup) -> AtomicBuffer {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_subscription(client, channel);
    let endpoint = receiver_told(&mut driver).0[0].id;
    present(&mut driver, endpoint, setup).expect("an image");
    metadata(&driver.images()[0].path)
}

#[test]
fn the_log_of_a_publication_states_the_buffers_of_its_sockets_and_whether_it_responds() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let stated = |path: &Path| {
        let log = metadata(path);
        (int(&log, SEND_BUFFER), int(&log, RECEIVE_BUFFER), byte(&log, IS_RESPONSE))
    };
    let plain = driver.add_exclusive_publication(client, CHANNEL);
    assert_eq!(stated(&plain.path), (0, 0, 0));
    let other = "aeron:udp?endpoint=localhost:40124";
    let first = driver.add_exclusive_publication(client, &format!("{other}|so-sndbuf=128k|so-rcvbuf=64k"));
    assert_eq!(stated(&first.path), (128 << 10, 64 << 10, 0));
    let second = driver.add_exclusive_publication(client, other);
    assert_eq!(stated(&second.path), (128 << 10, 64 << 10, 0), "the endpoint's");
    let response = "aeron:udp?control-mode=response|control=localhost:40125|response-correlation-id=prototype";
    let response = driver.add_exclusive_publication(client, response);
    assert_eq!(stated(&response.path), (0, 0, 1));
}

#[test]
fn the_log_of_an_image_states_what_its_subscription_asks_for() {
    let log = image_log(CHANNEL, SETUP);
    assert_eq!(int(&log, RECEIVER_WINDOW), 128 << 10, "not limited by its terms of 64 KiB");
    assert_eq!((int(&log, SEND_BUFFER), int(&log, RECEIVE_BUFFER)), (0, 0));
    assert_eq!((bytes::<8>(&log, 464), byte(&log, 493)), ([0; 8], 0), "neither lingers nor tells of an end");
    let log = image_log(&format!("{CHANNEL}|rcv-wnd=16k|so-sndbuf=128k|so-rcvbuf=64k"), SETUP);
    assert_eq!(int(&log, RECEIVER_WINDOW), 16 << 10);
    assert_eq!((int(&log, SEND_BUFFER), int(&log, RECEIVE_BUFFER)), (128 << 10, 64 << 10));
}

#[test]
fn the_log_of_an_image_states_whether_it_is_in_a_group() {
    let group = Setup { group: true, ..SETUP };
    let multicast = "aeron:udp?endpoint=224.20.30.39:40123|interface=127.0.0.1";
    for (channel, setup, expected) in [
        (CHANNEL.to_owned(), SETUP, 0),
        (CHANNEL.to_owned(), group, 1),
        (format!("{CHANNEL}|group=false"), group, 0),
        (format!("{CHANNEL}|group=true"), SETUP, 1),
        (multicast.to_owned(), SETUP, 1),
        (format!("{multicast}|group=false"), SETUP, 0),
    ] {
        assert_eq!(byte(&image_log(&channel, setup), GROUP), expected, "{channel} {setup:?}");
    }
}
