//! What sender and receiver put on the wire, compared byte for byte with known frames.

use gannet::logbuffer::{ExclusiveAppender, LogKind};
use gannet::protocol::{GroupTag, RttMeasurement, StatusMessage};
use gannet_driver::mailbox::{
    Completion, DestinationRules, NewReceiveEndpoint, NewReceiveTransport, Outcome, ReceiverCommand, SenderCommand,
    TransmitBatch,
};
use gannet_driver::receiver::Receiver;
use gannet_driver::sender::Sender;
use gannet_driver::shared::NetworkCounters;

use crate::support::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn a_senders_frames_are_those_of_the_reference() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let mut appender = ExclusiveAppender::new(&log, word(LENGTH)).unwrap();
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(publication(&log, 0))));
    let mut batch = TransmitBatch::new(64);
    sender.poll_transmit(at(0), &mut batch);
    let setup = "28000000 00000500 00000000 04030201 e9030000 07000000 07000000 00000100 80050000 00000000";
    assert_eq!(drain(&mut batch), [hex(setup)]);

    let mut message = [0; StatusMessage::LENGTH];
    status(0, 32_768).write(&mut message);
    sender.on_datagram(at(1), SENDING, receiver_address(), &message);
    appender.offer(b"hello").unwrap();
    sender.poll_transmit(at(1), &mut batch);
    let data = "25000000 00c00100 00000000 04030201 e9030000 07000000 00000000 00000000 68656c6c 6f000000";
    let mut data = hex(data);
    data.resize(64, 0);
    assert_eq!(batch.as_slice()[0].to, receiver_address());
    let tag = batch.as_slice()[0].tag;
    assert_eq!(drain(&mut batch), [data]);
    sender.on_completion(Completion { tag, outcome: Outcome::Sent });

    let question = RttMeasurement {
        session_id: SESSION,
        stream_id: STREAM,
        echo_timestamp_ns: 1000,
        reception_delta_ns: 0,
        receiver_id: RECEIVER,
        wants_answer: true,
    };
    let mut bytes = [0; RttMeasurement::LENGTH];
    question.write(&mut bytes);
    sender.on_datagram(at(2), SENDING, receiver_address(), &bytes);
    sender.poll_transmit(at(2), &mut batch);
    let answer = "28000000 00000600 04030201 e9030000 e8030000 00000000 00000000 00000000 88776655 44332211";
    assert_eq!(drain(&mut batch), [hex(answer)]);

    sender.poll_transmit(at(101 * MS), &mut batch);
    let heartbeat = "00000000 00c00100 40000000 04030201 e9030000 07000000 00000000 00000000";
    assert_eq!(drain(&mut batch), [hex(heartbeat)]);
    for (revoked, flags) in [(false, "e0"), (true, "f0")] {
        let end = SenderCommand::EndPublication { registration_id: PUBLICATION, position: 64, revoked };
        let now = if revoked { 500 * MS } else { 300 * MS };
        sender.on_command(at(now), end);
        sender.poll_transmit(at(now + MS), &mut batch);
        assert_eq!(drain(&mut batch), [hex(&heartbeat.replacen("c0", flags, 1))]);
    }
}

#[test]
fn a_receivers_frames_are_those_of_the_reference() {
    let mut receiver = Receiver::new(NetworkCounters::heap(), 1);
    receiver.on_command(
        at(0),
        ReceiverCommand::AddEndpoint(NewReceiveEndpoint {
            id: RECEIVING,
            receiver_id: RECEIVER,
            group_tag: Some(-1),
            session_limit: 10,
        }),
    );
    let transport = NewReceiveTransport { id: RECEIVING, control: Some(sender_address()), registers: true };
    receiver.on_command(at(0), ReceiverCommand::AddTransport(RECEIVING, transport));
    let mut batch = TransmitBatch::new(64);
    receiver.poll_transmit(at(0), &mut batch);
    let request = "2c000000 00800300 00000000 00000000 00000000 00000000 00000000 88776655 44332211 ffffffff ffffffff";
    assert_eq!(drain(&mut batch), [hex(request)], "it registers with the control address");
    receiver.poll_transmit(at(2_000 * MS), &mut batch);
    assert!(batch.is_empty(), "and not again before anybody is interested");
    receiver.on_command(at(2_000 * MS), ReceiverCommand::AddStream(RECEIVING, STREAM));
    receiver.poll_transmit(at(2_001 * MS), &mut batch);
    assert_eq!(drain(&mut batch), [hex(request)]);
    receiver.poll_transmit(at(2_900 * MS), &mut batch);
    assert!(batch.is_empty());
    receiver.poll_transmit(at(3_002 * MS), &mut batch);
    assert_eq!(drain(&mut batch).len(), 1, "every second");

    let log = log(LogKind::Image, INITIAL, 4096);
    let made_of = image(&log, 4096);
    receiver.on_command(at(3_100 * MS), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    receiver.poll_transmit(at(3_100 * MS), &mut batch);
    let message = "24000000 00000300 04030201 e9030000 07000000 00100000 00800000 88776655 44332211";
    assert_eq!(drain(&mut batch), [hex(message)]);
    receiver.on_command(at(3_100 * MS), ReceiverCommand::LeaveImage(IMAGE));
    receiver.poll_transmit(at(3_100 * MS), &mut batch);
    assert_eq!(drain(&mut batch), [hex(&message.replacen("00000300", "00400300", 1))]);
    receiver.on_command(at(3_100 * MS), ReceiverCommand::RejectImage(IMAGE, b"no".as_slice().into()));
    receiver.poll_transmit(at(3_100 * MS), &mut batch);
    let error = "2a000000 00000400 04030201 e9030000 88776655 44332211 ffffffff ffffffff 0d000000 02000000 6e6f";
    assert_eq!(drain(&mut batch), [hex(error)]);
}

/// Frames that a sender ignores.
#[test]
fn what_is_no_frame_is_counted() {
    let counters = NetworkCounters::heap();
    let mut sender = Sender::new(counters.clone());
    let invalid = || counters.get(gannet::counters::SystemCounter::InvalidPackets);
    let mut bytes = [0; 64];
    status(0, 4096).write(&mut bytes);
    for wrong in [&bytes[..7], &bytes[..35]] {
        let before = invalid();
        sender.on_datagram(at(0), SENDING, receiver_address(), wrong);
        assert_eq!(invalid(), before + 1);
    }
    let unknown = StatusMessage { group_tag: GroupTag::Tag(9), ..status(0, 4096) };
    let length = unknown.write(&mut bytes);
    sender.on_datagram(at(0), SENDING, receiver_address(), &bytes[..length]);
    assert_eq!(invalid(), 2, "a stream that nobody knows is no fault");
}
