//! Models of an image's log: the receiver inserts data or fills gaps while a subscriber polls.
#![cfg(engine_loom)]

use gannet::logbuffer::{ImageReader, LogBuffers, LogKind, LogParameters, gap_fill, gap_scan, rebuild};
use gannet::memory::{AtomicBuffer, Field, OwnedWord};
use gannet::protocol::{DataFlags, DataHeader};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use gannet_loom_tests::{Bounds, Crossing, check, must_fail};
use loom::thread;

/// An image whose terms hold two frames of four bytes each, and its only subscriber.
struct Image {
    log: LogBuffers,
    subscriber: OwnedWord<i64>,
}

impl Image {
    fn new() -> Self {
        let mut parameters = LogParameters::ipc(
            LogKind::Image,
            TermLength::tiny(128),
            SessionId::new(1),
            StreamId::new(2),
            TermId::new(5),
        );
        parameters.mtu = 128;
        let counters = AtomicBuffer::model(8, &[0]);
        Self { log: LogBuffers::model(&parameters), subscriber: counters.own(Field::<i64>::at(0)) }
    }

    fn poll(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut reader = ImageReader::new(self.log.clone(), self.subscriber.clone());
        reader.poll(
            |fragment| {
                assert_eq!((fragment.session_id(), fragment.stream_id()), (SessionId::new(1), StreamId::new(2)));
                found.push(fragment.payload().to_vec());
            },
            usize::MAX,
        );
        found
    }
}

/// Builds data frames of four bytes each, from this offset on.
fn datagram(offset: i32, payloads: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, &payload) in payloads.iter().enumerate() {
        let mut frame = [0; 64];
        DataHeader {
            frame_length: 36,
            flags: DataFlags::UNFRAGMENTED,
            is_padding: false,
            term_offset: offset + index as i32 * 64,
            session_id: SessionId::new(1),
            stream_id: StreamId::new(2),
            term_id: TermId::new(5),
            reserved_value: 0,
        }
        .write(&mut frame);
        frame[32..36].fill(payload);
        bytes.extend_from_slice(&frame);
    }
    bytes
}

/// The receiver inserts a datagram of two frames while a subscriber polls. The subscriber finds neither or both. Trap
/// 16.
#[test]
fn wire_trap_16_rebuild_against_poll() {
    rebuild_against_poll_model();
    must_fail("log.frame-committed:store", rebuild_against_poll_model);
    must_fail("log.frame-committed:load", rebuild_against_poll_model);
}

fn rebuild_against_poll_model() {
    check(Bounds::NONE, &[0, 2], || {
        let image = Image::new();
        let log = image.log.clone();
        let crossing = Crossing::default();
        let crossed = crossing.clone();
        let receiver = thread::spawn(move || {
            assert!(rebuild(&log, Position::new(0), &datagram(0, &[1, 2])));
            crossed.pass();
        });
        crossing.pass();
        let early = image.poll();
        receiver.join().unwrap();
        assert_eq!([early.clone(), image.poll()].concat(), [[1; 4], [2; 4]]);
        early.len()
    });
}

/// The second frame arrives first. The receiver finds the gap before it, and fills the gap or receives the first frame
/// after all. The subscriber finds nothing before that, and everything afterwards.
#[test]
fn a_gap_that_is_closed_against_poll() {
    for fill in [true, false] {
        gap_model(fill);
        must_fail("log.frame-committed:store", || gap_model(fill));
    }
}

fn gap_model(fill: bool) {
    let all: &[[u8; 4]] = if fill { &[[2; 4]] } else { &[[1; 4], [2; 4]] };
    check(Bounds::NONE, &[0, all.len()], move || {
        let image = Image::new();
        let log = image.log.clone();
        let crossing = Crossing::default();
        let crossed = crossing.clone();
        let receiver = thread::spawn(move || {
            assert!(rebuild(&log, Position::new(64), &datagram(64, &[2])));
            let scan = gap_scan(&log, Position::new(0), Position::new(128));
            assert_eq!((scan.rebuilt.get(), scan.gap), (0, Some((Position::new(0), 64))));
            if fill {
                assert!(gap_fill(&log, Position::new(0), 64));
            } else {
                assert!(rebuild(&log, Position::new(0), &datagram(0, &[1])));
            }
            crossed.pass();
            assert_eq!(gap_scan(&log, Position::new(0), Position::new(128)).rebuilt.get(), 128);
        });
        crossing.pass();
        let early = image.poll();
        receiver.join().unwrap();
        assert_eq!([early.clone(), image.poll()].concat(), all);
        early.len()
    });
}
