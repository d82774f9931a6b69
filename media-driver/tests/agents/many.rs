//! Many streams on one endpoint: what a duty cycle sends at once, and what it skips.

use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, LogBuffers, LogKind, LogParameters};
use gannet::protocol::{DATA_HEADER_LENGTH, Frame, Heartbeat, RttMeasurement, Setup, StatusMessage};
use gannet::types::{RegistrationId, SessionId};
use gannet_driver::mailbox::{
    Completion, DestinationRules, FlowControlRules, GroupRules, NewImage, NewNetworkPublication, NewReceiveEndpoint,
    NewReceiveTransport, Outcome, ReceiverCommand, SenderCommand, TransmitBatch,
};
use gannet_driver::receiver::Receiver;
use gannet_driver::sender::Sender;
use gannet_driver::shared::{Condition, ImageWords, NetworkCounters};

use crate::raw_access::RAW;
use crate::support::*;

/// More than one batch holds.
const STREAMS: usize = 300;
const BATCH: usize = 256;
const WINDOW: i32 = 16_384;
/// The window of an image: half a term.
const IMAGE_WINDOW: i64 = LENGTH / 2;

fn session(number: usize) -> SessionId {
    SessionId::new(number as i32)
}

fn log_of(kind: LogKind, number: usize) -> LogBuffers {
    LogBuffers::heap(&LogParameters::ipc(kind, TERM, session(number), STREAM, INITIAL), RAW)
}

fn say(sender: &mut Sender, now: i64, number: usize, message: &StatusMessage) {
    let mut bytes = [0; StatusMessage::LENGTH];
    StatusMessage { session_id: session(number), ..*message }.write(&mut bytes);
    sender.on_datagram(at(now), SENDING, receiver_address(), &bytes);
}

/// A sender with connected streams, and their publishers.
struct Streams {
    sender: Sender,
    counters: NetworkCounters,
    appenders: Vec<ExclusiveAppender>,
    batch: TransmitBatch,
}

impl Streams {
    fn new() -> Self {
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
        let mut appenders = Vec::new();
        for number in 0..STREAMS {
            let log = log_of(LogKind::Exclusive, number);
            let made_of = NewNetworkPublication {
                registration_id: RegistrationId::new(number as i64),
                session_id: session(number),
                ..publication(&log, 0)
            };
            appenders.push(ExclusiveAppender::new(&log, word(LENGTH)).unwrap());
            sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
            say(&mut sender, 0, number, &status(0, WINDOW));
        }
        Self { sender, counters, appenders, batch: TransmitBatch::new(BATCH) }
    }

    /// Runs one duty cycle. Returns its work count, and the lengths of the datagrams, all to one address.
    fn turn(&mut self, now: i64) -> (usize, Vec<usize>) {
        let work = self.sender.poll_transmit(at(now), &mut self.batch);
        let mut lengths = Vec::new();
        for transmit in self.batch.drain() {
            assert_eq!((transmit.endpoint, transmit.to), (SENDING, receiver_address()));
            lengths.push(bytes(&transmit).len());
            self.sender.on_completion(Completion { tag: transmit.tag, outcome: Outcome::Sent });
        }
        (work, lengths)
    }
}

/// Heartbeats that are due are sent together, all of one length, so that a transport needs few system calls. They do
/// not count as work that keeps a thread awake, and neither do status messages that repeat what is known.
#[test]
fn heartbeats_go_together_and_keep_nobody_awake() {
    let mut streams = Streams::new();
    assert_eq!(streams.turn(0), (0, vec![DATA_HEADER_LENGTH; BATCH]));
    assert_eq!(streams.turn(0), (0, vec![DATA_HEADER_LENGTH; STREAMS - BATCH]));
    streams.sender.take_stirred();
    for now in 1..=104 {
        for number in 0..STREAMS {
            say(&mut streams.sender, now * MS, number, &status(0, WINDOW));
        }
        assert!(!streams.sender.take_stirred());
        assert_eq!(streams.turn(now * MS), (0, vec![]));
    }
    // Heartbeats that become due meanwhile wait for this moment.
    assert_eq!(streams.turn(105 * MS), (0, vec![DATA_HEADER_LENGTH; BATCH]));
    assert_eq!(streams.turn(106 * MS), (0, vec![DATA_HEADER_LENGTH; STREAMS - BATCH]));
    assert_eq!(streams.counters.get(SystemCounter::HeartbeatsSent), 2 * STREAMS as i64);
    say(&mut streams.sender, 106 * MS, 7, &status(0, WINDOW + 32));
    assert!(streams.sender.take_stirred(), "more room is news");
}

/// A publication to a resting stream is found, whichever stream it is and however often: at once, or after all others
/// were checked.
#[test]
fn a_stream_that_rests_is_woken_by_what_is_published() {
    let mut streams = Streams::new();
    (0..3).for_each(|_| _ = streams.turn(0));
    for (round, number) in [0, 5, STREAMS - 1, 5, 5].into_iter().enumerate() {
        streams.appenders[number].offer(b"here").unwrap();
        let turns = [(); 2].map(|()| streams.turn(round as i64));
        assert!(turns.contains(&(1, vec![64])) && turns.contains(&(0, vec![])), "stream {number}: {turns:?}");
    }
}

/// A stream that was silent for long is checked less often, and found within a round of 64 per duty cycle.
#[test]
fn a_stream_that_was_silent_for_long_is_found_within_a_round() {
    let mut streams = Streams::new();
    (0..400).for_each(|_| _ = streams.turn(0));
    for number in [3, STREAMS - 1, 64] {
        streams.appenders[number].offer(b"here").unwrap();
        let mut turns = [(); STREAMS.div_ceil(64)].map(|()| streams.turn(1));
        turns.sort_unstable();
        assert_eq!(turns.last(), Some(&(1, vec![64])), "stream {number}");
        assert!(turns[..turns.len() - 1].iter().all(|turn| *turn == (0, vec![])), "stream {number}: {turns:?}");
    }
}

/// The last datagram of each stream comes after those that are sent together, and is sent together with the others as
/// well.
#[test]
fn short_datagrams_of_many_streams_go_behind_long_ones() {
    let mut streams = Streams::new();
    (0..3).for_each(|_| _ = streams.turn(0));
    let next = 3 * 256 % STREAMS;
    for appender in &mut streams.appenders[next..][..3] {
        (0..5).for_each(|_| _ = appender.offer(&[7; 608]).unwrap());
    }
    assert_eq!(streams.turn(1), (9, [vec![1280; 6], vec![640; 3]].concat()));
}

/// One message on each of many streams makes one batch, not many.
#[test]
fn what_many_streams_have_is_handed_over_at_once() {
    let mut streams = Streams::new();
    (0..3).for_each(|_| _ = streams.turn(0));
    // The streams that are checked next.
    let next = 3 * 256 % STREAMS;
    streams.appenders[next..][..40].iter_mut().for_each(|appender| _ = appender.offer(&[7; 256]).unwrap());
    assert_eq!(streams.turn(1), (40, vec![288; 40]));
    // None of them rests any more.
    (0..STREAMS).for_each(|number| say(&mut streams.sender, 1, number, &status(288, WINDOW)));
    streams.appenders[next..][..40].iter_mut().for_each(|appender| _ = appender.offer(&[7; 256]).unwrap());
    assert_eq!(streams.turn(1), (40, vec![288; 40]));
}

/// When each stream has more than a batch holds, the first stream without room comes first in the next duty cycle. So
/// each stream has its turn as soon as the others had theirs, and not only after each of them was first.
#[test]
fn who_finds_no_room_is_first_in_the_next_turn() {
    let mut streams = Streams::new();
    (0..3).for_each(|_| _ = streams.turn(0));
    for appender in &mut streams.appenders {
        (0..10).for_each(|_| _ = appender.offer(&[7; 1376]).unwrap());
    }
    // Until none rests any more.
    (0..STREAMS.div_ceil(64)).for_each(|_| _ = streams.turn(1));
    let sent = |streams: &Streams| -> Vec<i64> { streams.sender.publications().map(|found| found.sent()).collect() };
    let before = sent(&streams);
    (0..STREAMS.div_ceil(BATCH / 4) + 1).for_each(|_| _ = streams.turn(1));
    let waited = before.iter().zip(sent(&streams)).filter(|(before, sent)| **before == *sent).count();
    assert_eq!(waited, 0);
}

/// A receiver with `count` images, and the words of each.
fn with_images(count: usize) -> (Receiver, Vec<ImageWords>) {
    let mut receiver = Receiver::new(NetworkCounters::heap(), 1);
    let endpoint = NewReceiveEndpoint { id: RECEIVING, receiver_id: RECEIVER, group_tag: None, session_limit: count };
    receiver.on_command(at(0), ReceiverCommand::AddEndpoint(endpoint));
    let transport = NewReceiveTransport { id: RECEIVING, control: None, registers: false };
    receiver.on_command(at(0), ReceiverCommand::AddTransport(RECEIVING, transport));
    receiver.on_command(at(0), ReceiverCommand::AddStream(RECEIVING, STREAM));
    let mut words = Vec::new();
    for number in 0..count {
        let log = log_of(LogKind::Image, number);
        let registration_id = RegistrationId::new(number as i64);
        let made_of = NewImage { registration_id, session_id: session(number), ..image(&log, 0) };
        words.push(made_of.words.clone());
        let mut bytes = [0; Setup::LENGTH];
        setup(session(number)).write(&mut bytes);
        receiver.on_datagram(at(0), RECEIVING, sender_address(), &bytes);
        receiver.on_command(at(0), ReceiverCommand::AddImage(RECEIVING, Box::new(made_of)));
    }
    (receiver, words)
}

/// The timed frames of a receiver's images leave in one batch and keep no thread awake, and neither do arriving
/// heartbeats. Data does, and is detected by a resting image, as is the progress of its subscribers.
#[test]
fn images_rest_until_something_comes_or_is_read() {
    let (mut receiver, words) = with_images(STREAMS);
    let mut batch = TransmitBatch::new(STREAMS);
    receiver.poll_transmit(at(0), &mut batch);
    assert_eq!(batch.drain().count(), STREAMS, "each reports that it is there");
    receiver.take_stirred();
    let mut due = 0;
    for now in 1..=411 {
        let mut bytes = [0; DATA_HEADER_LENGTH];
        let (term_offset, term_id) = (0, INITIAL);
        let (end_of_stream, revoked) = (false, false);
        let session_id = session(now as usize % STREAMS);
        Heartbeat { term_offset, session_id, stream_id: STREAM, term_id, end_of_stream, revoked }.write(&mut bytes);
        receiver.on_datagram(at(now * MS), RECEIVING, sender_address(), &bytes);
        let work = receiver.poll_transmit(at(now * MS), &mut batch);
        let reports = batch.drain().count();
        assert!(!receiver.take_stirred() && work == 0 && (reports == 0 || reports == STREAMS), "{now} ms: {work}");
        due += usize::from(reports > 0);
    }
    assert_eq!(due, 2, "200 ms apart, and a little more so that all leave together");
    // More than a quarter of the window arrives and is read: reported at once.
    let log = log_of(LogKind::Exclusive, 7);
    let mut appender = ExclusiveAppender::new(&log, word(LENGTH)).unwrap();
    let mut message = [0; 1024];
    for offset in (0..=IMAGE_WINDOW / 4).step_by(1024) {
        appender.offer(&[7; 992]).unwrap();
        log.term(0).get_bytes(offset as usize, &mut message);
        receiver.on_datagram(at(412 * MS), RECEIVING, sender_address(), &message);
    }
    assert!(receiver.take_stirred());
    assert_eq!((receiver.poll_transmit(at(412 * MS), &mut batch), batch.len()), (0, 0));
    words[7].set_consumed(IMAGE_WINDOW / 4);
    assert_eq!((receiver.poll_transmit(at(412 * MS), &mut batch), batch.len()), (0, 0));
    words[7].set_consumed(IMAGE_WINDOW / 4 + 32);
    assert_eq!((receiver.poll_transmit(at(412 * MS), &mut batch), batch.drain().count()), (1, 1));
    // Data has arrived for another image.
    let log = log_of(LogKind::Exclusive, 9);
    ExclusiveAppender::new(&log, word(LENGTH)).unwrap().offer(b"here").unwrap();
    let mut message = [0; 64];
    log.term(0).get_bytes(0, &mut message);
    receiver.on_datagram(at(412 * MS), RECEIVING, sender_address(), &message);
    assert!(receiver.take_stirred());
    receiver.poll_transmit(at(412 * MS), &mut batch);
    assert_eq!(words[9].rebuilt(), 64);
    assert_eq!(words[8].rebuilt(), 0);
}

/// However many images are due at once, as after a stall, each sends its report, none at the expense of the others,
/// since a sender that receives nothing times its receiver out. While some have yet to report, there is work.
#[test]
fn all_images_report_however_many_are_due_at_once() {
    const IMAGES: usize = 1_300;
    let (mut receiver, _words) = with_images(IMAGES);
    let mut batch = TransmitBatch::new(BATCH);
    for round in 0..3 {
        let now = at(round * 300 * MS);
        let mut reported = vec![0; IMAGES];
        for turn in 1..=IMAGES.div_ceil(BATCH) {
            let work = receiver.poll_transmit(now, &mut batch);
            for transmit in batch.drain() {
                let Ok(Frame::StatusMessage(message)) = Frame::parse(&bytes(&transmit)) else { panic!("{transmit:?}") };
                reported[message.session_id.get() as usize] += 1;
            }
            assert!(work > 0 || turn * BATCH >= IMAGES, "round {round}, turn {turn}");
        }
        assert!(reported.iter().all(|&times| times == 1), "round {round}: {reported:?}");
        assert_eq!((receiver.poll_transmit(now, &mut batch), batch.len()), (0, 0), "round {round}");
    }
}

/// When a receiver has stood still, its images' data is still in its sockets, and takes several turns to receive. No image is given
/// up for that time, and each is for the time in which the receiver ran.
#[test]
fn images_outlive_a_receiver_that_stands_still() {
    let (mut receiver, words) = with_images(STREAMS);
    let mut batch = TransmitBatch::new(STREAMS);
    let mut turn = |receiver: &mut Receiver, now_ms: i64| {
        receiver.poll_transmit(at(now_ms * MS), &mut batch);
        batch.drain().for_each(drop);
        words.iter().filter(|words| words.condition() == Condition::Silent).count()
    };
    let mut now_ms = 0;
    for stands_ms in [11_000, 3_600_000] {
        turn(&mut receiver, now_ms);
        now_ms += stands_ms;
        assert_eq!(turn(&mut receiver, now_ms), 0, "after {stands_ms} ms");
    }
    // As after 2 s without data.
    while turn(&mut receiver, now_ms) == 0 {
        now_ms += 100;
    }
    assert!((8_000..8_300).contains(&(now_ms - 3_611_000)), "{now_ms}");
    assert_eq!(turn(&mut receiver, now_ms), STREAMS);
}

/// When a sender has stood still, what its receivers sent is still in its sockets. They are given up for the time in which it
/// ran: a member of a group that was forgotten might be left behind, and a destination sent nothing.
#[test]
fn receivers_outlive_a_sender_that_stands_still() {
    let group = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 0 };
    let log = log_of(LogKind::Exclusive, 0);
    let flow_control = FlowControlRules::Min(group);
    let made_of = NewNetworkPublication { session_id: session(0), flow_control, ..publication(&log, 0) };
    let words = made_of.words.clone();
    let mut sender = Sender::new(NetworkCounters::heap());
    let count = word(0);
    for command in [
        SenderCommand::AddEndpoint(SENDING, DestinationRules::Dynamic),
        SenderCommand::ShowDestinations(SENDING, count.clone()),
        SenderCommand::AddPublication(SENDING, Box::new(made_of)),
    ] {
        sender.on_command(at(0), command);
    }
    let mut batch = TransmitBatch::new(BATCH);
    let mut turn = |sender: &mut Sender, now_ms: i64| {
        sender.poll_transmit(at(now_ms * MS), &mut batch);
        batch.drain().for_each(drop);
        (words.receivers().enough, count.load_acquire())
    };
    turn(&mut sender, 0);
    say(&mut sender, 0, 0, &status(0, 4096));
    let mut now_ms = 1;
    assert_eq!(turn(&mut sender, now_ms), (true, 1));
    for stands_ms in [6_000, 3_600_000] {
        now_ms += stands_ms;
        assert_eq!(turn(&mut sender, now_ms), (true, 1), "after {stands_ms} ms");
        say(&mut sender, now_ms * MS, 0, &status(0, 4096));
    }
    let heard_ms = now_ms;
    while turn(&mut sender, now_ms) == (true, 1) {
        now_ms += 100;
    }
    assert!((5_000..5_300).contains(&(now_ms - heard_ms)), "{}", now_ms - heard_ms);
}

/// However many round-trip requests arrive, every image still reports.
#[test]
fn questions_leave_room_for_reports() {
    let (mut receiver, _words) = with_images(1);
    let question = RttMeasurement {
        session_id: session(0),
        stream_id: STREAM,
        echo_timestamp_ns: 7,
        reception_delta_ns: 0,
        receiver_id: RECEIVER,
        wants_answer: true,
    };
    let mut asked = [0; RttMeasurement::LENGTH];
    question.write(&mut asked);
    let mut batch = TransmitBatch::new(BATCH);
    for turn in 0..5 {
        let now = at(turn * 300 * MS);
        (0..10_000).for_each(|_| receiver.on_datagram(now, RECEIVING, sender_address(), &asked));
        receiver.poll_transmit(now, &mut batch);
        let said: Vec<_> = batch.drain().map(|transmit| bytes(&transmit)).collect();
        let is_report = |bytes: &Vec<u8>| matches!(Frame::parse(bytes), Ok(Frame::StatusMessage(_)));
        assert_eq!(said.iter().filter(|bytes| is_report(bytes)).count(), 1, "turn {turn}");
        assert!(said.len() > 1, "some are answered");
    }
}
