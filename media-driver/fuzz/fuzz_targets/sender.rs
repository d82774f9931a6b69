//! Sends arbitrary datagrams to a driver with publications, between messages and commands and as time passes. The
//! driver continues, and its memory is bounded.
#![no_main]

#[path = "../../tests/support/raw_access.rs"]
mod raw_access;
mod rig;

use gannet::protocol::{ErrorFrame, GroupTag, Nak, RttMeasurement, StatusMessage};
use gannet::types::{SessionId, TermId};
use libfuzzer_sys::fuzz_target;
use rig::{Input, Rig, STREAM};

fuzz_target!(|bytes: &[u8]| {
    let mut rig = Rig::new();
    // The session ids and term ids that frames of the input can have.
    let made_of = "session-id=7|init-term-id=2147483647|term-id=2147483647|term-offset=0|term-length=64k";
    rig.client.add_publication(&format!("aeron:udp?endpoint=10.0.0.2:40123|{made_of}"), STREAM);
    rig.client
        .add_publication(&format!("aeron:udp?control=10.0.0.1:40002|control-mode=dynamic|fc=min|{made_of}"), STREAM);
    rig.client.add_publication(
        &format!("aeron:udp?endpoint=224.0.1.1:40003|interface=10.0.0.1|fc=tagged,g:1|{made_of}"),
        STREAM,
    );
    let (session_id, stream_id, term_id, receiver_id) = (SessionId::new(7), STREAM, TermId::new(i32::MAX), 9);
    let status = |offset, receiver_window, asks_for_setup, end_of_stream| {
        let mut bytes = vec![0; 64];
        let length = StatusMessage {
            session_id,
            stream_id,
            consumption_term_id: term_id,
            consumption_term_offset: offset,
            receiver_window,
            receiver_id,
            group_tag: GroupTag::Tag(1),
            asks_for_setup,
            end_of_stream,
        }
        .write(&mut bytes);
        bytes.truncate(length);
        bytes
    };
    let mut nak = vec![0; Nak::LENGTH];
    Nak { session_id, stream_id, term_id, term_offset: 0, length: 4096 }.write(&mut nak);
    let mut question = vec![0; RttMeasurement::LENGTH];
    RttMeasurement {
        session_id,
        stream_id,
        echo_timestamp_ns: 1,
        reception_delta_ns: 0,
        receiver_id,
        wants_answer: true,
    }
    .write(&mut question);
    let mut error = vec![0; 64];
    let length = ErrorFrame { session_id, stream_id, receiver_id, group_tag: None, error_code: 13, text: b"no" }
        .write(&mut error);
    error.truncate(length);
    let templates = [
        status(0, 32_768, false, false),
        status(4096, 32_768, false, false),
        status(0, 0, true, false),
        status(0, 32_768, false, true),
        nak,
        question,
        error,
        rig::names(),
    ];
    rig.turn(1_000);
    rig.turn(1_000);
    rig.play(Input(bytes), &templates);
});
