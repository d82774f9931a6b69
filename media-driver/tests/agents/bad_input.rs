//! What strangers may put into datagrams: each case is counted, refused or bounded. Also tests for bugs that other
//! implementations have shipped.

use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, LogKind};
use gannet::protocol::{DataFlags, DataHeader, Heartbeat, Nak, Setup, StatusMessage};
use gannet::types::{Position, SessionId, StreamId, TermId};
use gannet_driver::mailbox::{
    Completion, DestinationRules, FlowControlRules, GroupRules, NewReceiveEndpoint, Outcome, ReceiverCommand,
    ReceiverEvent, SenderCommand, TransmitBatch, TransmitTag,
};
use gannet_driver::receiver::Receiver;
use gannet_driver::sender::Sender;
use gannet_driver::shared::{Condition, ImageWords, NetworkCounters};

use crate::support::*;

/// A receiver with an image of the stream.
struct Receiving {
    receiver: Receiver,
    counters: NetworkCounters,
    words: ImageWords,
    batch: TransmitBatch,
}

impl Receiving {
    fn new() -> Self {
        let counters = NetworkCounters::heap();
        let mut receiver = Receiver::new(counters.clone(), 1);
        let endpoint = NewReceiveEndpoint { id: RECEIVING, receiver_id: RECEIVER, group_tag: None, session_limit: 10 };
        receiver.on_command(at(0), ReceiverCommand::AddEndpoint(endpoint));
        receiver.on_command(at(0), ReceiverCommand::AddStream(RECEIVING, STREAM));
        receiver.on_datagram(at(0), RECEIVING, sender_address(), &setup_bytes(SESSION));
        let made_of = image(&log(LogKind::Image, INITIAL, 0), 0);
        let words = made_of.words.clone();
        receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
        let mut this = Self { receiver, counters, words, batch: TransmitBatch::new(4096) };
        this.poll(0);
        while this.receiver.next_event().is_some() {}
        this
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.receiver.on_datagram(at(MS), RECEIVING, sender_address(), datagram);
    }

    fn poll(&mut self, now_ns: i64) -> usize {
        self.receiver.poll_transmit(at(now_ns), &mut self.batch);
        self.batch.drain().count()
    }

    fn invalid(&self) -> i64 {
        self.counters.get(SystemCounter::InvalidPackets)
    }

    /// The position of the image.
    fn rebuilt(&mut self) -> i64 {
        self.poll(2 * MS);
        self.receiver.images().next().expect("an image").rebuilt()
    }
}

fn setup_bytes(session_id: SessionId) -> Vec<u8> {
    let mut bytes = vec![0; Setup::LENGTH];
    setup(session_id).write(&mut bytes);
    bytes
}

fn data(session_id: SessionId, position: i64, payload: usize) -> Vec<u8> {
    let at = Position::new(position);
    let mut bytes = vec![1; (32 + payload).next_multiple_of(32)];
    DataHeader {
        frame_length: 32 + payload as i32,
        flags: DataFlags::UNFRAGMENTED,
        is_padding: false,
        term_offset: TERM.offset(at),
        session_id,
        stream_id: STREAM,
        term_id: TERM.term_id(at, INITIAL),
        reserved_value: 0,
    }
    .write(&mut bytes);
    bytes
}

/// A heartbeat that ends the stream at this position.
fn ending(position: i64, revoked: bool) -> Vec<u8> {
    let at = Position::new(position);
    let (term_offset, term_id) = (TERM.offset(at), TERM.term_id(at, INITIAL));
    let mut bytes = vec![0; 32];
    let (session_id, stream_id) = (SESSION, STREAM);
    Heartbeat { term_offset, session_id, stream_id, term_id, end_of_stream: true, revoked }.write(&mut bytes);
    bytes
}

fn changed(mut bytes: Vec<u8>, at: usize, to: &[u8]) -> Vec<u8> {
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn truncated_frames_are_counted() {
    for whole in [data(SESSION, 0, 100), setup_bytes(SESSION)] {
        for length in 0..whole.len() {
            let mut receiving = Receiving::new();
            receiving.hear(&whole[..length]);
            assert_eq!((receiving.invalid(), receiving.rebuilt()), (1, 0), "{length} of {} bytes", whole.len());
        }
    }
}

/// A frame whose stated length exceeds its datagram, or the rest of its term.
#[test]
fn oversized_frames_are_counted() {
    let mut receiving = Receiving::new();
    receiving.hear(&changed(data(SESSION, 0, 100), 0, &4096_i32.to_le_bytes()));
    receiving.hear(&changed(data(SESSION, 0, 100), 0, &i32::MAX.to_le_bytes()));
    receiving.hear(&changed(data(SESSION, LENGTH - 32, 0), 0, &160_i32.to_le_bytes()));
    assert_eq!((receiving.invalid(), receiving.rebuilt()), (3, 0));
}

#[test]
fn misaligned_frames_are_counted() {
    let mut receiving = Receiving::new();
    receiving.hear(&changed(data(SESSION, 0, 100), 8, &8_i32.to_le_bytes()));
    receiving.hear(&changed(data(SESSION, 0, 100), 8, &(-32_i32).to_le_bytes()));
    let mut cut = data(SESSION, 0, 100);
    cut.truncate(132);
    receiving.hear(&cut);
    assert_eq!((receiving.invalid(), receiving.rebuilt()), (3, 0));
}

#[test]
fn frames_of_another_version_are_counted() {
    let mut receiving = Receiving::new();
    for version in [1, 0x7F, 0xFF] {
        receiving.hear(&changed(data(SESSION, 0, 100), 4, &[version]));
        receiving.hear(&changed(setup_bytes(SESSION), 4, &[version]));
    }
    assert_eq!((receiving.invalid(), receiving.rebuilt()), (6, 0));
}

#[test]
fn negative_lengths_are_counted() {
    let mut receiving = Receiving::new();
    for length in [-1_i32, -160, i32::MIN] {
        receiving.hear(&changed(data(SESSION, 0, 100), 0, &length.to_le_bytes()));
    }
    assert_eq!((receiving.invalid(), receiving.rebuilt()), (3, 0));
}

/// A session without an image is asked for its setup once, and its data is dropped.
#[test]
fn frames_of_a_foreign_session_touch_no_image() {
    let mut receiving = Receiving::new();
    let foreign = SessionId::new(99);
    (0..100).for_each(|number| receiving.hear(&data(foreign, number * 160, 100)));
    assert_eq!(receiving.poll(2 * MS), 1, "one request for a setup");
    assert_eq!(receiving.rebuilt(), 0);
    let other_stream = changed(data(SESSION, 0, 100), 16, &StreamId::new(5).get().to_le_bytes());
    receiving.hear(&other_stream);
    assert_eq!((receiving.rebuilt(), receiving.invalid()), (0, 0));
}

/// A flood of setups: the receiver requests as many images as the stream may have, and counts further ones.
#[test]
fn a_flood_of_setups_is_bounded_and_counted() {
    let mut receiving = Receiving::new();
    let flood = 20_000;
    (1..=flood).for_each(|session| receiving.hear(&setup_bytes(SessionId::new(session))));
    let mut asked_for = 0;
    while let Some(event) = receiving.receiver.next_event() {
        asked_for += usize::from(matches!(event, ReceiverEvent::CreateImage { .. }));
    }
    assert_eq!(asked_for, 9, "ten, and one was there");
    assert_eq!(receiving.invalid(), i64::from(flood) - 9);
    // A flood of data from invented sessions.
    let mut receiving = Receiving::new();
    (1..=flood).for_each(|session| receiving.hear(&data(SessionId::new(session), 0, 100)));
    let requests = receiving.poll(2 * MS);
    assert!((1..=256).contains(&requests), "requests for setups are bounded as well: {requests}");
    // The existing image still receives.
    receiving.hear(&data(SESSION, 0, 128));
    assert_eq!(receiving.rebuilt(), 160);
}

/// A sender that signals the end of the stream while its data still arrives is not believed beyond the received data.
#[test]
fn a_spoofed_end_of_stream_ends_nothing_before_all_of_it_is_there() {
    let heartbeat = |position| ending(position, false);
    let mut receiving = Receiving::new();
    receiving.hear(&data(SESSION, 160, 128));
    // The end is after the missing data, so that is received first.
    receiving.hear(&heartbeat(320));
    assert_eq!((receiving.rebuilt(), receiving.words.condition()), (0, Condition::Live));
    receiving.hear(&data(SESSION, 0, 128));
    assert_eq!(receiving.rebuilt(), 320);
    assert_eq!(receiving.words.condition(), Condition::Ended { position: 320, revoked: false });
    // An end far away is beyond what the image accepts, and is counted.
    let mut receiving = Receiving::new();
    receiving.hear(&heartbeat(40 * LENGTH));
    assert_eq!(receiving.counters.get(SystemCounter::FlowControlOverRuns), 1);
    assert_eq!(receiving.words.condition(), Condition::Live);
}

/// The sender is not asked whether it revoked its stream, so a revoke that looks sound is believed: the image ends there,
/// once, and nothing is requested or counted any more. What does not look sound ends nothing.
#[test]
fn a_spoofed_revoke_ends_one_image_once() {
    let mut receiving = Receiving::new();
    receiving.hear(&data(SESSION, 0, 128));
    let revoke = ending(160, true);
    assert_eq!(revoke[5], 0xF0);
    for length in 0..revoke.len() {
        receiving.hear(&revoke[..length]);
    }
    receiving.hear(&changed(revoke.clone(), 4, &[1]));
    receiving.hear(&changed(revoke.clone(), 0, &(-32_i32).to_le_bytes()));
    receiving.hear(&changed(revoke.clone(), 8, &8_i32.to_le_bytes()));
    assert_eq!(receiving.invalid(), 32 + 3);
    // Of somebody else; without an end; in a frame of data, which ends no stream; and out of the window.
    receiving.hear(&changed(revoke.clone(), 12, &99_i32.to_le_bytes()));
    receiving.hear(&changed(revoke.clone(), 16, &99_i32.to_le_bytes()));
    receiving.hear(&changed(revoke.clone(), 5, &[0xD0]));
    receiving.hear(&changed(data(SESSION, 160, 128), 5, &[0xF0]));
    receiving.hear(&ending(40 * LENGTH, true));
    assert_eq!(receiving.rebuilt(), 320);
    assert_eq!(receiving.words.condition(), Condition::Live);
    let revoked = |receiving: &Receiving| receiving.counters.get(SystemCounter::PublicationImagesRevoked);
    assert_eq!((revoked(&receiving), receiving.counters.get(SystemCounter::FlowControlOverRuns)), (0, 1));

    // Ahead of what has arrived.
    for _ in 0..100 {
        receiving.hear(&ending(640, true));
        receiving.hear(&ending(960, false));
    }
    assert_eq!(receiving.rebuilt(), 320, "what was not received is not there");
    assert_eq!(receiving.words.condition(), Condition::Ended { position: 640, revoked: true });
    assert_eq!(revoked(&receiving), 1);
    (3..1_000).for_each(|now_ms| _ = receiving.poll(now_ms * MS));
    assert_eq!(receiving.counters.get(SystemCounter::NaksSent), 0);
}

/// A sender with a publication, whose transport accepts everything at once.
struct Sending {
    sender: Sender,
    counters: NetworkCounters,
    appender: ExclusiveAppender,
    batch: TransmitBatch,
}

impl Sending {
    fn new(flow_control: FlowControlRules) -> Self {
        let log = log(LogKind::Exclusive, INITIAL, 0);
        let mut made_of = publication(&log, 0);
        made_of.flow_control = flow_control;
        made_of.group = flow_control != FlowControlRules::Unicast;
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
        let appender = ExclusiveAppender::new(&log, word(LENGTH)).unwrap();
        Self { sender, counters, appender, batch: TransmitBatch::new(64) }
    }

    fn hear_status(&mut self, now_ms: i64, message: &StatusMessage) {
        let mut bytes = [0; 64];
        let length = message.write(&mut bytes);
        self.sender.on_datagram(at(now_ms * MS), SENDING, receiver_address(), &bytes[..length]);
    }

    /// Runs one duty cycle. Returns the work count, and the number of bytes of data sent.
    fn turn(&mut self, now_ms: i64) -> (usize, usize) {
        let work = self.sender.poll_transmit(at(now_ms * MS), &mut self.batch);
        let mut sent = 0;
        for transmit in self.batch.drain().collect::<Vec<_>>() {
            let length = bytes(&transmit).len();
            sent += if length > 44 { length } else { 0 };
            if let TransmitTag::Data { .. } = transmit.tag {
                self.sender.on_completion(Completion { tag: transmit.tag, outcome: Outcome::Sent });
            }
        }
        (work, sent)
    }

    /// Runs a duty cycle at each of these milliseconds.
    fn turns(&mut self, at_ms: std::ops::Range<i64>) {
        for now in at_ms {
            self.turn(now);
        }
    }

    /// Publishes messages of one datagram each.
    fn publish(&mut self, count: usize) {
        for _ in 0..count {
            self.appender.offer(&[7; 1376]).unwrap();
        }
    }

    fn publication(&self) -> (i64, i64) {
        let publication = self.sender.publications().next().unwrap();
        (publication.sent(), publication.limit())
    }
}

/// A receiver whose position is impossibly far ahead, or goes back, moves the limit by at most half a term, and never
/// backwards.
#[test]
fn status_messages_that_lie_are_refused_or_bounded() {
    let mut sending = Sending::new(FlowControlRules::Unicast);
    for lie in [
        status(LENGTH, 32_768),
        status(0, i32::MAX),
        status(0, -32),
        StatusMessage { consumption_term_offset: 7, ..status(0, 32_768) },
        StatusMessage { consumption_term_offset: i32::MIN, ..status(0, 32_768) },
        StatusMessage { consumption_term_id: TermId::new(INITIAL.get() - 1), ..status(0, 32_768) },
        StatusMessage { consumption_term_id: TermId::new(i32::MIN), ..status(0, 32_768) },
    ] {
        let refused = |sending: &Sending| {
            [SystemCounter::InvalidPackets, SystemCounter::StatusMessagesRejected]
                .map(|counter| sending.counters.get(counter))
                .iter()
                .sum::<i64>()
        };
        let before = refused(&sending);
        sending.hear_status(1, &lie);
        assert_eq!(refused(&sending), before + 1, "{lie:?}");
        assert_eq!(sending.publication(), (0, 0), "{lie:?}");
    }
    sending.hear_status(1, &status(4096, 32_768));
    sending.hear_status(1, &status(0, 32));
    assert_eq!(sending.publication().1, 4096 + 32_768);
}

/// However much is NAKed, nothing is sent that was not sent before: a NAK cannot get around the limit.
#[test]
fn a_nak_for_everything_brings_nothing_that_was_not_sent() {
    let mut sending = Sending::new(FlowControlRules::Unicast);
    sending.publish(20);
    // Room for two of twenty.
    sending.hear_status(1, &status(0, 2 * 1408));
    sending.turns(1..10);
    assert_eq!(sending.publication().0, 2 * 1408);
    let mut nak = [0; Nak::LENGTH];
    Nak { session_id: SESSION, stream_id: STREAM, term_id: INITIAL, term_offset: 0, length: 60_000 }.write(&mut nak);
    let mut sent = 0;
    for now in 11..15 {
        sending.sender.on_datagram(at(now * MS), SENDING, receiver_address(), &nak);
        sent += sending.turn(now).1;
    }
    assert_eq!(sent, 2 * 1408);
}

/// A bug in another implementation: a status message half a term out of bounds was accepted.
#[test]
fn peer_bug_a_status_message_half_a_term_out_of_bounds_is_refused() {
    let mut sending = Sending::new(FlowControlRules::Unicast);
    sending.hear_status(1, &status(LENGTH / 2 + 32, 32_768));
    assert_eq!(sending.counters.get(SystemCounter::StatusMessagesRejected), 1);
    assert_eq!(sending.publication(), (0, 0));
}

/// A bug in another implementation: when one receiver left, `min` forgot others that were alive.
#[test]
fn peer_bug_min_keeps_live_receivers_when_one_leaves() {
    let rules = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 0 };
    let mut sending = Sending::new(FlowControlRules::Min(rules));
    let receivers = [11_i64, 12, 13, 14];
    let says = |receiver_id, position| StatusMessage { receiver_id, ..status(position, 4096) };
    sending.publish(20);
    receivers.iter().for_each(|&receiver| sending.hear_status(1, &says(receiver, 0)));
    sending.turns(1..10);
    for leaving in [11, 13] {
        sending.hear_status(10, &StatusMessage { end_of_stream: true, ..says(leaving, 0) });
    }
    // Of the two remaining receivers one advances; the other holds the limit.
    sending.hear_status(11, &says(12, 2816));
    sending.turns(11..20);
    assert_eq!(sending.publication().1, 4096, "the slower one is still there");
    sending.hear_status(21, &says(14, 1408));
    assert_eq!(sending.publication().1, 1408 + 4096);
}

/// A bug in another implementation: a sender with nothing to send reported work, so its thread spun.
#[test]
fn peer_bug_an_idle_sender_reports_no_work() {
    let mut sending = Sending::new(FlowControlRules::Unicast);
    sending.hear_status(1, &status(0, 32_768));
    sending.turn(1);
    let mut worked = 0;
    for now in 2..1_002 {
        worked += sending.turn(now).0;
    }
    assert!(worked <= 11, "{worked}: heartbeats alone, one in 100 ms");
    assert!(sending.sender.next_deadline() > at(1_001 * MS), "and nothing is due now");
}
