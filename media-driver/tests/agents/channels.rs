//! Sender and receiver with channels of several sockets, and with response channels.

use std::net::SocketAddr;

use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, LogKind};
use gannet::protocol::{
    DataFlags, DataHeader, ErrorFrame, Frame, GroupTag, Heartbeat, Nak, ResponseSetup, Setup, StatusMessage,
};
use gannet::types::{RegistrationId, SessionId, StreamId};
use gannet_driver::mailbox::{
    Completion, DestinationRules, EndpointId, FlowControlRules, GroupRules, MAX_DESTINATIONS, MAX_RECEIVERS,
    NewNetworkPublication, NewReceiveEndpoint, NewReceiveTransport, Outcome, ReceiverCommand, ReceiverEvent,
    SenderCommand, SenderEvent, TransmitBatch, TransmitTag,
};
use gannet_driver::receiver::Receiver;
use gannet_driver::sender::Sender;
use gannet_driver::shared::{Condition, NetworkCounters};

use crate::support::*;

fn write(frame: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let length = frame(&mut bytes);
    bytes.truncate(length);
    bytes
}

fn address(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 20_000).into()
}

/// The destinations of setups in this duty cycle.
fn setups(sender: &mut Sender, now_ms: i64) -> Vec<SocketAddr> {
    let mut batch = TransmitBatch::new(64);
    sender.poll_transmit(at(now_ms * MS), &mut batch);
    let sent = batch.drain().filter(|sent| matches!(Frame::parse(&bytes(sent)), Ok(Frame::Setup(_))));
    sent.map(|sent| sent.to).collect()
}

/// A response is sent nowhere until a receiver requests its setup, and then to the receiver that requested last.
#[test]
fn an_answer_goes_to_whoever_asks_for_it() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let mut made_of = publication(&log, 0);
    made_of.answers = true;
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Manual));
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
    assert_eq!(setups(&mut sender, 0), []);
    let ask = write(|bytes| StatusMessage::setup_request(SESSION, STREAM, RECEIVER, None).write(bytes));
    let other = write(|bytes| StatusMessage::setup_request(SessionId::new(1), STREAM, RECEIVER, None).write(bytes));
    sender.on_datagram(at(0), SENDING, address(9), &other);
    assert_eq!(setups(&mut sender, 200), [], "another session's");
    sender.on_datagram(at(0), SENDING, address(2), &ask);
    assert_eq!(setups(&mut sender, 400), [address(2)]);
    sender.on_datagram(at(0), SENDING, address(3), &ask);
    assert_eq!(setups(&mut sender, 600), [address(3)], "it has moved");
    assert_eq!(sender.next_event(), None);
    for _ in 0..2 {
        sender.on_datagram(at(600 * MS), SENDING, address(3), &write(|bytes| status(0, 32_768).write(bytes)));
    }
    assert_eq!(sender.next_event(), Some(SenderEvent::ResponseConnected(PUBLICATION)));
    assert_eq!(sender.next_event(), None, "once");
}

/// If the conductor has not yet processed earlier events, it is told later that the response has its receiver.
#[test]
fn that_an_answer_is_heard_is_told_when_there_is_room() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let mut made_of = publication(&log, 0);
    made_of.answers = true;
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Manual));
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
    let others: Vec<_> = (1_000..2_000).map(RegistrationId::new).collect();
    others.iter().for_each(|other| sender.on_command(at(0), SenderCommand::RemovePublication(*other)));
    let hear = write(|bytes| status(0, 32_768).write(bytes));
    sender.on_datagram(at(0), SENDING, address(3), &hear);
    for other in others {
        assert_eq!(sender.next_event(), Some(SenderEvent::PublicationRemoved(other)));
    }
    assert_eq!(sender.next_event(), None, "there was no room");
    sender.on_datagram(at(200 * MS), SENDING, address(3), &hear);
    assert_eq!(sender.next_event(), Some(SenderEvent::ResponseConnected(PUBLICATION)));
    sender.on_datagram(at(400 * MS), SENDING, address(3), &hear);
    assert_eq!(sender.next_event(), None, "once");
}

/// A rejection of a publication with several destinations is reported with the destination of the rejecting receiver.
#[test]
fn a_rejection_names_its_destination() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Manual));
    for host in [2, 3] {
        let id = RegistrationId::new(70 + i64::from(host));
        sender.on_command(at(0), SenderCommand::AddDestination(SENDING, id, Some(address(host))));
    }
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(publication(&log, 0))));
    let mut rejected_by = |host: u8, receiver_id: i64| {
        let message = StatusMessage { receiver_id, ..status(0, 4096) };
        sender.on_datagram(at(0), SENDING, address(host), &write(|bytes| message.write(bytes)));
        let error = ErrorFrame {
            session_id: SESSION,
            stream_id: STREAM,
            receiver_id,
            group_tag: None,
            error_code: 13,
            text: b"no",
        };
        sender.on_datagram(at(0), SENDING, address(host), &write(|bytes| error.write(bytes)));
        match sender.next_event() {
            Some(SenderEvent::Rejected { destination, .. }) => destination.map(RegistrationId::get),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([rejected_by(3, 103), rejected_by(2, 102), rejected_by(9, 109)], [Some(73), Some(72), None]);
}

/// A request learns which session responds to it; a publication that requests nothing learns nothing.
#[test]
fn a_request_hears_which_session_answers_it() {
    for asks in [true, false] {
        let log = log(LogKind::Exclusive, INITIAL, 0);
        let mut made_of = publication(&log, 0);
        made_of.asks_for_response = asks;
        let mut sender = Sender::new(NetworkCounters::heap());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
        let setup = ResponseSetup { session_id: SESSION, stream_id: STREAM, response_session_id: SessionId::new(77) };
        sender.on_datagram(at(0), SENDING, receiver_address(), &write(|bytes| setup.write(bytes)));
        let told = asks.then_some(SenderEvent::ResponseSetup(PUBLICATION, SessionId::new(77)));
        assert_eq!(sender.next_event(), told);
    }
}

/// The frames that a receiver sends in this duty cycle: through which socket, where to, and what.
fn said(receiver: &mut Receiver, now_ms: i64) -> Vec<(u32, SocketAddr, String)> {
    let mut batch = TransmitBatch::new(64);
    receiver.poll_transmit(at(now_ms * MS), &mut batch);
    let show = |bytes: &[u8]| match Frame::parse(bytes) {
        Ok(Frame::StatusMessage(message)) if message.asks_for_setup => format!("ask {}", message.stream_id),
        Ok(Frame::StatusMessage(message)) if message.end_of_stream => "leaves".to_owned(),
        Ok(Frame::StatusMessage(_)) => "status".to_owned(),
        Ok(Frame::Nak(nak)) => format!("nak {}+{}", nak.term_offset, nak.length),
        Ok(Frame::ResponseSetup(setup)) => format!("answered by {}", setup.response_session_id),
        other => format!("{other:?}"),
    };
    batch.drain().map(|sent| (sent.endpoint.get(), sent.to, show(&bytes(&sent)))).collect()
}

const PLACES: [EndpointId; 2] = [EndpointId::new(11), EndpointId::new(12)];

/// An endpoint with two sockets, the second of which registers with a control address.
fn two_places() -> Receiver {
    let mut receiver = Receiver::new(NetworkCounters::heap(), 1);
    let endpoint = NewReceiveEndpoint { id: RECEIVING, receiver_id: RECEIVER, group_tag: None, session_limit: 10 };
    receiver.on_command(at(0), ReceiverCommand::AddEndpoint(endpoint));
    receiver.on_command(at(0), ReceiverCommand::AddStream(RECEIVING, STREAM));
    for (id, control) in [(PLACES[0], None), (PLACES[1], Some(address(5)))] {
        let transport = NewReceiveTransport { id, control, registers: control.is_some() };
        receiver.on_command(at(0), ReceiverCommand::AddTransport(RECEIVING, transport));
    }
    receiver
}

/// The setup of a stream that requests responses.
fn asking(session_id: SessionId) -> Setup {
    Setup { asks_for_response: true, ..setup(session_id) }
}

/// A stream that arrives at two destinations is one image. Both its senders get every control frame, each through its
/// destination; a destination with a control address registers at once and every second.
#[test]
fn an_image_may_come_in_at_many_places() {
    let mut receiver = two_places();
    assert_eq!(said(&mut receiver, 0), [(12, address(5), "ask 0".to_owned())]);
    let presents_itself = write(|bytes| asking(SESSION).write(bytes));
    receiver.on_datagram(at(0), PLACES[0], address(1), &presents_itself);
    let event = receiver.next_event().unwrap();
    let ReceiverEvent::CreateImage { endpoint, transport, control, .. } = event else { panic!("{event:?}") };
    assert_eq!((endpoint, transport, control), (RECEIVING, PLACES[0], address(1)));
    let log = log(LogKind::Image, INITIAL, 0);
    let mut made_of = image(&log, 0);
    (made_of.transport, made_of.control_address) = (transport, control);
    receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    receiver.on_datagram(at(0), PLACES[1], address(7), &presents_itself);
    assert_eq!(receiver.next_event(), None, "one session, one image");
    let status = "status".to_owned();
    assert_eq!(said(&mut receiver, 1), [(11, address(1), status.clone()), (12, address(5), status.clone())]);
    receiver.on_command(at(0), ReceiverCommand::RemoveTransport(RECEIVING, PLACES[1]));
    assert_eq!(said(&mut receiver, 2_000), [(11, address(1), status)], "nobody registers any more, either");
    receiver.on_datagram(at(0), PLACES[1], address(7), &presents_itself);
    receiver.on_command(at(0), ReceiverCommand::RemoveEndpoint(RECEIVING));
    receiver.on_datagram(at(0), PLACES[0], address(7), &presents_itself);
    assert_eq!(receiver.next_event(), None, "what is closed hears nothing");
}

/// While the log of an image is made, the destination at which its setup arrived may be removed. The image then is not fed by
/// it, and does not wait for its end of stream.
#[test]
fn an_image_does_not_wait_for_a_place_that_is_gone() {
    let mut receiver = two_places();
    said(&mut receiver, 0);
    receiver.on_datagram(at(0), PLACES[0], address(1), &write(|bytes| setup(SESSION).write(bytes)));
    receiver.on_command(at(0), ReceiverCommand::RemoveTransport(RECEIVING, PLACES[0]));
    let log = log(LogKind::Image, INITIAL, 0);
    let mut made_of = image(&log, 0);
    made_of.transport = PLACES[0];
    let words = made_of.words.clone();
    receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    assert_eq!(said(&mut receiver, 1), [], "through which socket?");
    let ends = Heartbeat {
        term_offset: 0,
        session_id: SESSION,
        stream_id: STREAM,
        term_id: INITIAL,
        end_of_stream: true,
        revoked: false,
    };
    receiver.on_datagram(at(2 * MS), PLACES[1], address(5), &write(|bytes| ends.write(bytes)));
    assert_eq!(said(&mut receiver, 3), []);
    assert_eq!(said(&mut receiver, 4), [(12, address(5), "leaves".to_owned())]);
    assert_eq!(words.condition(), Condition::Ended { position: 0, revoked: false });
}

/// While the log of an image is made, the name of its control address may resolve to another address.
#[test]
fn an_image_reports_to_where_its_control_address_is_by_now() {
    let mut receiver = two_places();
    said(&mut receiver, 0);
    receiver.on_datagram(at(0), PLACES[1], address(5), &write(|bytes| setup(SESSION).write(bytes)));
    let event = receiver.next_event().unwrap();
    let ReceiverEvent::CreateImage { transport, control, .. } = event else { panic!("{event:?}") };
    receiver.on_command(at(0), ReceiverCommand::MoveControl(PLACES[1], address(6)));
    let log = log(LogKind::Image, INITIAL, 0);
    let mut made_of = image(&log, 0);
    (made_of.transport, made_of.control_address) = (transport, control);
    receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    assert_eq!(said(&mut receiver, 1), [(12, address(6), "status".to_owned())]);
}

/// The sender of a request is told the responding session with every timed status message, until that is no longer
/// needed.
#[test]
fn a_requests_sender_is_told_who_answers() {
    let mut receiver = two_places();
    said(&mut receiver, 0);
    let log = log(LogKind::Image, INITIAL, 0);
    receiver.on_datagram(at(0), PLACES[0], sender_address(), &write(|bytes| asking(SESSION).write(bytes)));
    let mut made_of = image(&log, 0);
    made_of.transport = PLACES[0];
    receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    let told = |receiver: &mut Receiver, now_ms| -> Vec<String> {
        said(receiver, now_ms).into_iter().map(|(_, _, what)| what).filter(|what| !what.starts_with("ask")).collect()
    };
    assert_eq!(told(&mut receiver, 1), ["status"]);
    receiver.on_command(at(0), ReceiverCommand::SetResponseSession(IMAGE, Some(SessionId::new(77))));
    assert_eq!(told(&mut receiver, 2), ["answered by 77", "status"], "at once");
    assert_eq!(told(&mut receiver, 100), Vec::<String>::new());
    assert_eq!(told(&mut receiver, 205), ["answered by 77", "status"]);
    receiver.on_command(at(0), ReceiverCommand::SetResponseSession(IMAGE, None));
    assert_eq!(told(&mut receiver, 500), ["status"]);
}

/// A subscription that waits for a response requests a setup from its sender as soon as the session is known, and again
/// when told.
#[test]
fn a_session_that_is_wanted_by_name_is_asked_for() {
    let mut receiver = two_places();
    said(&mut receiver, 0);
    let stream = StreamId::new(1002);
    receiver.on_command(at(0), ReceiverCommand::AddSession(RECEIVING, stream, SESSION));
    assert_eq!(said(&mut receiver, 1), [(12, address(5), "ask 1002".to_owned())]);
    receiver.on_command(at(0), ReceiverCommand::AskForSetup(RECEIVING, stream, SESSION));
    assert_eq!(said(&mut receiver, 2), [(12, address(5), "ask 1002".to_owned())]);
}

/// Invented sessions are bounded, counted, and reported from time to time.
#[test]
fn a_flood_of_sessions_is_told_of() {
    let counters = NetworkCounters::heap();
    let mut receiver = Receiver::new(counters.clone(), 1);
    let endpoint = NewReceiveEndpoint { id: RECEIVING, receiver_id: RECEIVER, group_tag: None, session_limit: 1 };
    receiver.on_command(at(0), ReceiverCommand::AddEndpoint(endpoint));
    receiver.on_command(at(0), ReceiverCommand::AddStream(RECEIVING, STREAM));
    let transport = NewReceiveTransport { id: RECEIVING, control: None, registers: false };
    receiver.on_command(at(0), ReceiverCommand::AddTransport(RECEIVING, transport));
    let mut told = Vec::new();
    for number in 0..1_000 {
        let presents_itself = asking(SessionId::new(number));
        let now = at(i64::from(number) * 20 * MS);
        receiver.on_datagram(now, RECEIVING, address(1), &write(|bytes| presents_itself.write(bytes)));
        while let Some(event) = receiver.next_event() {
            told.push(event);
        }
    }
    assert_eq!(counters.get(SystemCounter::InvalidPackets), 999);
    assert!(matches!(told[0], ReceiverEvent::CreateImage { .. }));
    assert_eq!(told[1..], [const { ReceiverEvent::TooManySessions(RECEIVING) }; 2], "twice in twenty seconds");
}

/// Receivers beyond the limit of an endpoint are counted, and reported from time to time.
#[test]
fn a_crowd_of_receivers_is_told_of() {
    let counters = NetworkCounters::heap();
    let mut sender = Sender::new(counters.clone());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Dynamic));
    let shown = word(0);
    sender.on_command(at(0), SenderCommand::ShowDestinations(SENDING, shown.clone()));
    let mut told = Vec::new();
    let mut register = |number: usize, now_ms: i64| {
        let says = StatusMessage { receiver_id: number as i64, ..status(0, 32_768) };
        sender.on_datagram(at(now_ms * MS), SENDING, address(1), &write(|bytes| says.write(bytes)));
        sender.poll_transmit(at(now_ms * MS), &mut TransmitBatch::new(1));
        told.extend(std::iter::from_fn(|| sender.next_event()));
    };
    (0..MAX_DESTINATIONS).for_each(|number| register(number, 0));
    for (number, now_ms) in [(0, 1), (MAX_DESTINATIONS, 1), (MAX_DESTINATIONS + 1, 900), (MAX_DESTINATIONS, 1_100)] {
        register(number, now_ms);
    }
    assert_eq!(told, [SenderEvent::TooManyReceivers(SENDING), SenderEvent::TooManyReceivers(SENDING)]);
    assert_eq!(counters.get(SystemCounter::StatusMessagesRejected), 3);
    assert_eq!(shown.load_acquire(), MAX_DESTINATIONS as i64);
}

/// Receivers beyond those that a flow control follows are counted, and reported from time to time.
#[test]
fn a_group_that_is_too_large_to_be_followed_is_told_of() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let group = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 0 };
    for flow_control in [FlowControlRules::Min(group), FlowControlRules::Tagged(group, 7), FlowControlRules::Max] {
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(address(9))));
        let made_of = NewNetworkPublication { flow_control, group: true, ..publication(&log, 0) };
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
        let mut hear = |receiver: usize, now_ms: i64| {
            let group_tag = GroupTag::Tag(7);
            let says = StatusMessage { receiver_id: receiver as i64, group_tag, ..status(0, 32_768) };
            sender.on_datagram(at(now_ms * MS), SENDING, address(1), &write(|bytes| says.write(bytes)));
            sender.poll_transmit(at(now_ms * MS), &mut TransmitBatch::new(1));
            let events = std::iter::from_fn(|| sender.next_event());
            events.filter(|event| !matches!(event, SenderEvent::Held(..))).collect::<Vec<_>>()
        };
        (0..MAX_RECEIVERS).for_each(|receiver| assert_eq!(hear(receiver, 0), []));
        let told = [(0, 1), (MAX_RECEIVERS, 1), (MAX_RECEIVERS + 1, 900), (MAX_RECEIVERS, 1_100)]
            .map(|(receiver, now_ms)| hear(receiver, now_ms));
        let (one, rejected) = match flow_control {
            FlowControlRules::Max => (vec![], 0),
            _ => (vec![SenderEvent::TooManyFollowed(PUBLICATION)], 3),
        };
        assert_eq!(told, [vec![], one.clone(), vec![], one], "{flow_control:?}");
        assert_eq!(counters.get(SystemCounter::StatusMessagesRejected), rejected, "{flow_control:?}");
    }
}

/// A datagram of a session of the stream.
fn datagram(session_id: SessionId, term_offset: i32) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    DataHeader {
        frame_length: 64,
        flags: DataFlags::UNFRAGMENTED,
        is_padding: false,
        term_offset,
        session_id,
        stream_id: STREAM,
        term_id: INITIAL,
        reserved_value: 0,
    }
    .write(&mut bytes);
    bytes
}

/// Has the receiver create an image for the session that has just sent its setup.
fn add_image(receiver: &mut Receiver, registration_id: RegistrationId) {
    receiver.on_datagram(at(0), PLACES[0], address(1), &write(|bytes| asking(SESSION).write(bytes)));
    assert!(matches!(receiver.next_event(), Some(ReceiverEvent::CreateImage { .. })));
    let log = log(LogKind::Image, INITIAL, 0);
    let mut made_of = image(&log, 0);
    (made_of.registration_id, made_of.transport, made_of.control_address) = (registration_id, PLACES[0], address(1));
    receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
}

/// Trap 32: an image that leaves does not send its end when its session has another image, since the sender would take
/// that one to leave.
#[test]
fn wire_trap_32_an_image_that_leaves_does_not_speak_for_the_next() {
    let statuses = |receiver: &mut Receiver, now_ms| -> Vec<String> {
        said(receiver, now_ms).into_iter().map(|(_, _, what)| what).filter(|what| !what.starts_with("ask")).collect()
    };
    let mut receiver = two_places();
    add_image(&mut receiver, IMAGE);
    assert_eq!(statuses(&mut receiver, 1), ["status"]);
    receiver.on_command(at(MS), ReceiverCommand::RemoveStream(RECEIVING, STREAM));
    receiver.on_command(at(MS), ReceiverCommand::AddStream(RECEIVING, STREAM));
    receiver.on_command(at(MS), ReceiverCommand::LeaveImage(IMAGE));
    assert_eq!(statuses(&mut receiver, 2), ["leaves"]);
    add_image(&mut receiver, RegistrationId::new(51));
    for turn in 1..10 {
        assert_eq!(statuses(&mut receiver, 2 + turn * 205), ["status"], "of the new one, on the beat after 200 ms");
    }
}

/// What an image of a session that nobody wants any more is missing would arrive in vain, and is not requested.
#[test]
fn what_nobody_wants_any_more_is_not_asked_for() {
    let unwanted: [fn(&mut Receiver); 2] = [
        |receiver| receiver.on_command(at(2 * MS), ReceiverCommand::RemoveStream(RECEIVING, STREAM)),
        |receiver| {
            receiver.on_command(at(2 * MS), ReceiverCommand::AddSession(RECEIVING, STREAM, SESSION));
            receiver.on_command(at(2 * MS), ReceiverCommand::RemoveStream(RECEIVING, STREAM));
            assert!(naks(receiver, 3..5) > 0, "one of its sessions is wanted");
            receiver.on_command(at(5 * MS), ReceiverCommand::RemoveSession(RECEIVING, STREAM, SESSION));
        },
    ];
    for leave in unwanted {
        let mut receiver = two_places();
        add_image(&mut receiver, IMAGE);
        receiver.on_datagram(at(MS), PLACES[0], address(1), &datagram(SESSION, 64));
        assert!(naks(&mut receiver, 1..2) > 0);
        leave(&mut receiver);
        assert_eq!(naks(&mut receiver, 6..2_000), 0);
        receiver.on_command(at(2_000 * MS), ReceiverCommand::AddStream(RECEIVING, STREAM));
        assert_eq!(naks(&mut receiver, 2_000..2_100), 0, "its session gets another image");
    }
}

/// The number of NAKs that a receiver sends in these milliseconds, with a duty cycle every 20 microseconds.
fn naks(receiver: &mut Receiver, during_ms: std::ops::Range<i64>) -> usize {
    let mut batch = TransmitBatch::new(64);
    let mut turn = |now_us: i64| {
        receiver.poll_transmit(at(now_us * 1_000), &mut batch);
        batch.drain().filter(|sent| matches!(Frame::parse(&bytes(sent)), Ok(Frame::Nak(_)))).count()
    };
    (during_ms.start * 1_000..during_ms.end * 1_000).step_by(20).map(&mut turn).sum()
}

/// Trap 36: a retransmit goes to every destination, whichever receiver requested it.
#[test]
fn wire_trap_36_what_is_sent_again_goes_to_every_destination() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Manual));
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(publication(&log, 0))));
    for host in [2, 3] {
        let id = RegistrationId::new(host.into());
        sender.on_command(at(0), SenderCommand::AddDestination(SENDING, id, Some(address(host))));
    }
    sender.on_datagram(at(0), SENDING, address(2), &write(|bytes| status(0, 32_768).write(bytes)));
    ExclusiveAppender::new(&log, word(LENGTH)).unwrap().offer(b"lost on the way to one").unwrap();
    let data_to = |sender: &mut Sender| -> Vec<SocketAddr> {
        let mut batch = TransmitBatch::new(64);
        sender.poll_transmit(at(MS), &mut batch);
        let sent: Vec<_> = batch.drain().collect();
        sent.iter().for_each(|sent| sender.on_completion(Completion { tag: sent.tag, outcome: Outcome::Sent }));
        let data = sent.iter().filter(|sent| matches!(Frame::parse(&bytes(sent)), Ok(Frame::Data(_))));
        let mut to: Vec<_> = data.map(|sent| sent.to).collect();
        to.sort();
        to
    };
    assert_eq!(data_to(&mut sender), [address(2), address(3)]);
    let nak = Nak { session_id: SESSION, stream_id: STREAM, term_id: INITIAL, term_offset: 0, length: 64 };
    sender.on_datagram(at(MS), SENDING, address(3), &write(|bytes| nak.write(bytes)));
    assert_eq!(data_to(&mut sender), [address(2), address(3)]);
}

/// Datagrams that the system refuses to send are sent again if there is one destination. With several, a refusal by one
/// destination is not waited for, but a lack of buffer space for one, which is temporary, is.
#[test]
fn several_destinations_do_not_wait_for_one_that_is_refused() {
    let turns = |rules, outcome| {
        let log = log(LogKind::Exclusive, INITIAL, 0);
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, rules));
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(publication(&log, 0))));
        for host in [2, 3] {
            let id = RegistrationId::new(host.into());
            sender.on_command(at(0), SenderCommand::AddDestination(SENDING, id, Some(address(host))));
        }
        sender.on_datagram(at(0), SENDING, address(2), &write(|bytes| status(0, 32_768).write(bytes)));
        ExclusiveAppender::new(&log, word(LENGTH)).unwrap().offer(b"once").unwrap();
        let mut data_in_turn = || {
            let mut batch = TransmitBatch::new(64);
            sender.poll_transmit(at(MS), &mut batch);
            let sent: Vec<_> = batch.drain().collect();
            let data = sent.iter().filter(|sent| matches!(Frame::parse(&bytes(sent)), Ok(Frame::Data(_))));
            data.map(|sent| {
                let outcome = if sent.to == address(3) { outcome } else { Outcome::Sent };
                sender.on_completion(Completion { tag: sent.tag, outcome });
            })
            .count()
        };
        let found = [data_in_turn(), data_in_turn()];
        (found, counters.get(SystemCounter::ShortSends))
    };
    assert_eq!(turns(DestinationRules::Fixed(address(3)), Outcome::Refused), ([1, 1], 2));
    assert_eq!(turns(DestinationRules::Manual, Outcome::Refused), ([2, 0], 1));
    assert_eq!(turns(DestinationRules::Manual, Outcome::NoRoom), ([2, 2], 2));
}

/// If the system sends nothing of a stream, as when the network is down, receivers time out. It keeps no thread awake,
/// though each duty cycle tries again.
#[test]
fn what_is_refused_again_and_again_keeps_nobody_awake() {
    let log = log(LogKind::Exclusive, INITIAL, 0);
    let made_of = publication(&log, 0);
    let words = made_of.words.clone();
    let mut sender = Sender::new(NetworkCounters::heap());
    sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(address(2))));
    sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
    sender.on_datagram(at(0), SENDING, address(2), &write(|bytes| status(0, 32_768).write(bytes)));
    ExclusiveAppender::new(&log, word(LENGTH)).unwrap().offer(b"nobody hears this").unwrap();
    let mut turn = |now_ms: i64, outcome| {
        let mut batch = TransmitBatch::new(64);
        let work = sender.poll_transmit(at(now_ms * MS), &mut batch);
        let sent: Vec<_> = batch.drain().collect();
        sent.iter().for_each(|sent| sender.on_completion(Completion { tag: sent.tag, outcome }));
        let tries = sent.iter().filter(|sent| matches!(sent.tag, TransmitTag::Data { .. })).count();
        (work, tries)
    };
    assert_eq!(turn(0, Outcome::NoRoom), (1, 1));
    assert_eq!(turn(1, Outcome::Refused), (1, 1), "there may be room the next time");
    assert!((2..5_000).all(|now_ms| turn(now_ms, Outcome::Refused) == (0, 1)));
    assert!(words.receivers().alive);
    turn(5_000, Outcome::Refused);
    assert!(!words.receivers().alive);
    assert_eq!(turn(5_001, Outcome::Sent), (0, 1));
    assert_eq!((turn(5_002, Outcome::Sent), words.sender_position()), ((0, 0), 64));
}

/// Trap 41: status messages and NAKs are sent from the socket that receives the stream, since the sender receives from
/// no other.
#[test]
fn wire_trap_41_reports_leave_from_the_socket_that_hears_the_stream() {
    let mut receiver = two_places();
    add_image(&mut receiver, IMAGE);
    receiver.on_datagram(at(0), PLACES[0], address(1), &datagram(SESSION, 64));
    let reports = [said(&mut receiver, 1), said(&mut receiver, 2)].concat();
    let of_the_stream: Vec<_> = reports.iter().filter(|(_, _, what)| !what.starts_with("ask")).collect();
    assert!(of_the_stream.iter().all(|(from, to, _)| (*from, *to) == (11, address(1))), "{reports:?}");
    assert!(of_the_stream.iter().any(|(_, _, what)| what == "status"), "{reports:?}");
    assert!(of_the_stream.iter().any(|(_, _, what)| what == "nak 0+64"), "{reports:?}");
}

/// Trap 60: an unknown session is asked for its setup once a second, however many datagrams arrive from it.
#[test]
fn wire_trap_60_a_setup_is_asked_for_once_a_second() {
    let mut receiver = two_places();
    said(&mut receiver, 0);
    let mut asked = Vec::new();
    for now_ms in (1..3_000).step_by(10) {
        receiver.on_datagram(at(now_ms * MS), PLACES[0], address(1), &datagram(SESSION, 0));
        let asks = said(&mut receiver, now_ms).into_iter().filter(|(_, _, what)| what == "ask 1001");
        asked.extend(asks.map(|(from, to, _)| (now_ms, from, to)));
    }
    assert_eq!(asked, [1, 1_021, 2_041].map(|now_ms| (now_ms, 11, address(1))));
}
