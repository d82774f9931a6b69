//! Sends arbitrary datagrams to a driver with subscriptions and name resolution, between commands and as time passes.
//! The driver continues, and its memory is bounded.
#![no_main]

#[path = "../../tests/support/raw_access.rs"]
mod raw_access;
mod rig;

use gannet::protocol::{DataFlags, DataHeader, Heartbeat, Setup};
use gannet::types::{SessionId, TermId, TermLength};
use libfuzzer_sys::fuzz_target;
use rig::{Input, Rig, STREAM};

fuzz_target!(|bytes: &[u8]| {
    let mut rig = Rig::new();
    rig.client.add_subscription("aeron:udp?endpoint=10.0.0.1:40001", STREAM);
    rig.client.add_subscription("aeron:udp?endpoint=10.0.0.1:40002|control=10.0.0.2:40123|reliable=false", STREAM);
    rig.client.add_subscription("aeron:udp?endpoint=224.0.1.1:40003|interface=10.0.0.1|cc=cubic", STREAM);
    let (session_id, initial_term_id) = (SessionId::new(7), TermId::new(i32::MAX));
    let mut setup = vec![0; Setup::LENGTH];
    Setup {
        term_offset: 0,
        session_id,
        stream_id: STREAM,
        initial_term_id,
        active_term_id: initial_term_id,
        term_length: TermLength::MIN,
        mtu: 1408,
        ttl: 0,
        asks_for_response: false,
        group: false,
    }
    .write(&mut setup);
    let data = |term_offset, length: usize, is_padding| {
        let mut data = vec![0; if is_padding { 32 } else { length.next_multiple_of(32) }];
        DataHeader {
            frame_length: length as i32,
            flags: DataFlags::UNFRAGMENTED,
            is_padding,
            term_offset,
            session_id,
            stream_id: STREAM,
            term_id: initial_term_id,
            reserved_value: 0,
        }
        .write(&mut data);
        data
    };
    let heartbeat = |term_offset, end_of_stream, revoked| {
        let mut heartbeat = vec![0; 32];
        let (stream_id, term_id) = (STREAM, initial_term_id);
        Heartbeat { term_offset, session_id, stream_id, term_id, end_of_stream, revoked }.write(&mut heartbeat);
        heartbeat
    };
    rig.turn(1_000);
    // An image of each, most of the time.
    rig.play(Input(&[1, 0, 0, 1]), &[setup.clone()]);
    let templates = [
        setup,
        data(0, 100, false),
        data(128, 100, false),
        data(256, 1408, false),
        data(1664, 63_872, true),
        heartbeat(256, false, false),
        heartbeat(1664, true, false),
        heartbeat(1664, true, true),
        rig::names(),
    ];
    rig.play(Input(bytes), &templates);
});
