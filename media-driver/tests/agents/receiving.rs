//! An image in its receiver: what it accepts, what it sends, and when it ends.

use std::net::SocketAddr;

use fastrand::Rng;
use gannet::counters::SystemCounter;
use gannet::logbuffer::{ImageReader, LogBuffers, LogKind};
use gannet::protocol::{DataFlags, DataHeader, Heartbeat, Padding, RttMeasurement};
use gannet::types::Position;
use gannet_driver::mailbox::{CongestionRules, CubicConfig, EndpointId, LossRules, NewImage};
use gannet_driver::receiver::publication_image::{Arrival, PublicationImage};
use gannet_driver::receiver::report::{Report, ReportOutlet};
use gannet_driver::shared::{Condition, ImageWords, NetworkCounters};

use crate::support::*;

/// Records what the image sends.
#[derive(Default)]
struct Said(Vec<String>);

impl ReportOutlet for Said {
    fn put(&mut self, transport: EndpointId, _to: SocketAddr, report: &Report<'_>) {
        let via = if transport == RECEIVING { String::new() } else { format!("{}: ", transport.get()) };
        self.0.push(match report {
            Report::Status(message) => {
                let position = message.position(TERM, INITIAL);
                let leaving = if message.end_of_stream { " leaving" } else { "" };
                format!("{via}status {position}+{}{leaving}", message.receiver_window)
            }
            Report::Nak(nak) => format!("{via}nak {}:{}+{}", nak.term_id, nak.term_offset, nak.length),
            Report::Rtt(_) => format!("{via}rtt"),
            Report::Response(setup) => format!("{via}answered by {}", setup.response_session_id),
            Report::Error(error) => format!("{via}error {}", String::from_utf8_lossy(error.text)),
        });
    }
}

struct Receiving {
    image: PublicationImage,
    log: LogBuffers,
    words: ImageWords,
    counters: NetworkCounters,
    random: Rng,
    join: i64,
}

impl Receiving {
    fn new() -> Self {
        Self::with(0, |_| {})
    }

    fn with(join: i64, change: impl FnOnce(&mut NewImage)) -> Self {
        let log = log(LogKind::Image, INITIAL, join);
        let mut made_of = image(&log, join);
        change(&mut made_of);
        let words = made_of.words.clone();
        let image = PublicationImage::new(made_of, at(0));
        Self { image, log, words, counters: NetworkCounters::heap(), random: Rng::with_seed(1), join }
    }

    fn take(&mut self, now_us: i64, datagram: &[u8]) -> Arrival {
        self.take_from(now_us, RECEIVING, datagram)
    }

    fn take_from(&mut self, now_us: i64, transport: EndpointId, datagram: &[u8]) -> Arrival {
        let header = DataHeader::parse(datagram).unwrap();
        let from = (transport, sender_address());
        self.image.on_data(at(now_us * 1000), from, &header, datagram, &self.counters)
    }

    fn poll(&mut self, now_us: i64) -> Vec<String> {
        let mut said = Said::default();
        self.image.poll(at(now_us * 1000), &mut self.random, &self.counters, &mut said);
        said.0
    }

    fn messages(&self) -> Vec<u8> {
        let mut reader = ImageReader::new(self.log.clone(), word(self.join));
        let mut firsts = Vec::new();
        while reader.poll(|fragment| firsts.push(fragment.payload()[0]), 100) > 0 {}
        firsts
    }

    fn count(&self, counter: SystemCounter) -> i64 {
        self.counters.get(counter)
    }
}

/// A datagram with one frame at a position.
fn data(position: i64, payload: &[u8]) -> Vec<u8> {
    let at = Position::new(position);
    let mut bytes = vec![0; (32 + payload.len()).next_multiple_of(32)];
    DataHeader {
        frame_length: 32 + payload.len() as i32,
        flags: DataFlags::UNFRAGMENTED,
        is_padding: false,
        term_offset: TERM.offset(at),
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TERM.term_id(at, INITIAL),
        reserved_value: 0,
    }
    .write(&mut bytes);
    bytes[32..32 + payload.len()].copy_from_slice(payload);
    bytes
}

fn heartbeat(position: i64, end_of_stream: bool, revoked: bool) -> [u8; 32] {
    let at = Position::new(position);
    let mut bytes = [0; 32];
    Heartbeat {
        term_offset: TERM.offset(at),
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TERM.term_id(at, INITIAL),
        end_of_stream,
        revoked,
    }
    .write(&mut bytes);
    bytes
}

/// Trap 42: the first status message is sent at once, with the window of a 64 KiB term; then one every 200 ms.
#[test]
fn wire_trap_42_the_first_status_message_leaves_at_once() {
    let mut receiving = Receiving::with(4096, |_| {});
    assert_eq!(receiving.poll(0), ["status 4096+32768"]);
    assert!(receiving.poll(200_000).is_empty());
    assert_eq!(receiving.poll(200_001), ["status 4096+32768"]);
}

/// Trap 5: data from before the join position is neither requested nor accepted.
#[test]
fn wire_trap_05_nothing_before_the_join_position_is_asked_for() {
    let mut receiving = Receiving::with(4096, |_| {});
    receiving.poll(0);
    receiving.take(1, &data(8192, b"c"));
    receiving.poll(1);
    assert_eq!(receiving.poll(2), ["nak 7:4096+4096"]);
    receiving.take(3, &data(4032, b"a"));
    assert_eq!(receiving.count(SystemCounter::FlowControlUnderRuns), 1);
    receiving.take(3, &heartbeat(0, false, false));
    receiving.take(3, &data(4096, &[b'b'; 4064]));
    receiving.poll(4);
    assert_eq!((receiving.messages(), receiving.image.rebuilt()), (b"bc".to_vec(), 8256));
}

/// Trap 43: a status message has the position of the slowest subscriber, however much has arrived. A gap after that
/// position does not hold it back.
#[test]
fn wire_trap_43_status_messages_follow_the_slowest_subscriber() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &data(0, &[1; 16_352]));
    receiving.take(1, &data(16_448, b"behind a gap"));
    let statuses = |said: Vec<String>| said.into_iter().filter(|line| line.starts_with("status")).collect::<Vec<_>>();
    assert_eq!(statuses(receiving.poll(200_001)), ["status 0+32768"]);
    assert_eq!(receiving.image.rebuilt(), 16_384);
    receiving.words.set_consumed(9_000 & !31);
    assert_eq!(statuses(receiving.poll(200_002)), ["status 8992+32768"]);
}

/// Traps 44 and 45, and section 25.1 item 8: strictly after more than a quarter window; the timed message repeats the
/// scheduled one.
#[test]
fn wire_trap_44_and_45_status_messages_by_quarter_windows() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.words.set_consumed(8192);
    assert!(receiving.poll(1).is_empty(), "a quarter is not more than a quarter");
    assert_eq!(receiving.poll(200_001), ["status 0+32768"], "repeated, not computed anew");
    receiving.words.set_consumed(8448);
    assert_eq!(receiving.poll(200_002), ["status 8448+32768"]);
}

/// A quarter of a window may be more than the sender can do without: where it has no room for one more datagram, it is told what was
/// read, at once if that is everything, and otherwise with the next timed status message.
#[test]
fn a_sender_without_room_is_told_of_less_than_a_quarter() {
    let window = |bytes| move |made_of: &mut NewImage| made_of.congestion_control = CongestionRules::Static(bytes);
    let mut receiving = Receiving::with(0, window(1408));
    receiving.poll(0);
    assert_eq!(receiving.take(1, &data(0, &[b'a'; 288])), Arrival::Next(319), "less than a quarter, but all there is");
    receiving.words.set_consumed(320);
    assert_eq!(receiving.poll(2), ["status 320+1408"]);
    assert!(receiving.poll(3).is_empty(), "once");

    let mut receiving = Receiving::with(0, window(2048));
    receiving.poll(0);
    receiving.take(1, &data(0, &[b'a'; 480]));
    receiving.words.set_consumed(512);
    assert!(receiving.poll(2).is_empty(), "there is room for a datagram");
    receiving.take(3, &data(512, &[b'b'; 224]));
    assert!(receiving.poll(3).is_empty(), "somebody has not read all of it");
    assert_eq!(receiving.poll(200_001), ["status 512+2048"]);
}

#[test]
fn frames_come_in_any_order() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &data(128, b"c"));
    receiving.take(1, &data(0, b"a"));
    receiving.take(1, &data(64, b"b"));
    receiving.take(1, &data(64, b"x"));
    receiving.poll(2);
    assert_eq!(
        (receiving.messages(), receiving.image.rebuilt()),
        (b"abc".to_vec(), 192),
        "trap 20: the first copy stays"
    );
    assert_eq!((receiving.words.rebuilt(), receiving.words.highest()), (192, 192));
}

/// Data that arrives in order is known without a duty cycle of the image. A cycle is needed to check whether
/// subscribers have progressed enough for a status message, and for a gap or an end.
#[test]
fn what_comes_in_order_needs_no_turn() {
    const AWAY: Arrival = Arrival::Next(i64::MAX);
    let mut receiving = Receiving::new();
    receiving.poll(0);
    let quarter = LENGTH / 8;
    assert_eq!(receiving.take(1, &data(0, b"a")), AWAY);
    assert_eq!((receiving.words.rebuilt(), receiving.words.highest()), (64, 64));
    assert_eq!(
        receiving.take(1, &data(64, &[b'b'; 8160])),
        Arrival::Next(quarter),
        "further than subscribers may read"
    );
    assert_eq!(receiving.take(1, &heartbeat(64 + 8192, false, false)), Arrival::Nothing);
    assert_eq!(receiving.take(1, &data(64 + 8192 + 64, b"d")), Arrival::News);
    assert_eq!(receiving.words.rebuilt(), 64 + 8192);
    assert_eq!(receiving.take(1, &data(64 + 8192, b"c")), Arrival::Next(quarter), "nothing is missing any more");
    assert_eq!(receiving.words.rebuilt(), 64 + 8192 + 128);
    assert_eq!(receiving.poll(2), Vec::<String>::new());
    assert_eq!(receiving.take(3, &heartbeat(64 + 8192 + 128, true, false)), Arrival::News);
    assert_eq!(receiving.messages(), b"abcd");
}

/// A NAK gives the exact range of a lost datagram, after a microsecond, and again after 100.
#[test]
fn a_gap_is_asked_for() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &data(0, b"a"));
    receiving.take(1, &data(192, b"d"));
    assert!(receiving.poll(1).is_empty());
    assert_eq!(receiving.poll(2), ["nak 7:64+128"]);
    assert!(receiving.poll(101).is_empty());
    assert_eq!(receiving.poll(102), ["nak 7:64+128"]);
    receiving.take(103, &data(64, b"b"));
    assert!(receiving.poll(103).is_empty(), "a smaller gap is another one");
    assert_eq!(receiving.poll(104), ["nak 7:128+64"]);
    receiving.take(105, &data(128, b"c"));
    assert!(receiving.poll(300).is_empty());
    assert_eq!(receiving.messages(), b"abcd");
    assert_eq!(receiving.count(SystemCounter::NaksSent), 3);
}

/// Trap 47 and scenario 4: the loss of the last datagram is detected with the next heartbeat.
#[test]
fn wire_trap_47_a_heartbeat_shows_what_was_lost_last() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &data(0, b"a"));
    assert!(receiving.poll(10).is_empty());
    receiving.take(100, &heartbeat(1024, false, false));
    receiving.poll(100);
    assert_eq!(receiving.poll(101), ["nak 7:64+960"]);
    assert_eq!(receiving.count(SystemCounter::HeartbeatsReceived), 1);
}

/// Traps 6 and 50: a gap ends with its term; the next term is scanned when this one is complete.
#[test]
fn wire_trap_50_one_term_at_a_time() {
    let mut receiving = Receiving::with(LENGTH - 128, |_| {});
    receiving.poll(0);
    receiving.take(1, &data(LENGTH + 64, b"z"));
    receiving.poll(1);
    assert_eq!(receiving.poll(2), ["nak 7:65408+128"]);
    receiving.take(3, &data(LENGTH - 128, &[b'a'; 96]));
    receiving.poll(3);
    receiving.poll(4);
    assert_eq!(receiving.poll(5), ["nak 8:0+64"]);
}

/// Traps 8 and 27: padding counts for the whole range it covers. Its header may end up to half a term beyond what was
/// announced. Heartbeats behind it are signs of life.
#[test]
fn wire_trap_27_overrun_is_half_a_term_past_what_was_announced() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    let padding = |position: i64, length: i32| {
        let mut bytes = [0; 32];
        let (term_offset, term_id) = (position as i32, INITIAL);
        Padding { length, term_offset, session_id: SESSION, stream_id: STREAM, term_id }.write(&mut bytes);
        bytes
    };
    let half = LENGTH / 2;
    receiving.take(1, &padding(half, 32));
    assert_eq!(receiving.count(SystemCounter::FlowControlOverRuns), 1);
    receiving.take(1, &padding(0, half as i32 - 32));
    receiving.take(1, &padding(half - 32, half as i32 + 32));
    receiving.poll(2);
    assert_eq!(receiving.image.rebuilt(), LENGTH, "its header ends exactly half a term past");
    receiving.take(3, &heartbeat(LENGTH + 32, false, false));
    assert_eq!(receiving.count(SystemCounter::FlowControlOverRuns), 2, "a heartbeat, too");
    // For longer than without a sign of life.
    for second in 1..20 {
        receiving.take(second * 1_000_000, &heartbeat(LENGTH, false, false));
        receiving.poll(second * 1_000_000);
    }
    assert_eq!((receiving.words.condition(), receiving.words.highest()), (Condition::Live, LENGTH));
    receiving.words.set_consumed(LENGTH);
    receiving.poll(20_000_000);
    receiving.take(20_000_000, &heartbeat(LENGTH + 32, false, false));
    assert_eq!(receiving.words.highest(), LENGTH + 32);
}

/// Trap 46: limits follow the last status message that was sent, not one that is due.
#[test]
fn wire_trap_46_only_a_status_message_that_was_sent_moves_the_thresholds() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.words.set_consumed(8448);
    receiving.take(1, &data(LENGTH / 2, b"x"));
    receiving.take(1, &data(64, b"y"));
    let overruns = SystemCounter::FlowControlOverRuns;
    let underruns = SystemCounter::FlowControlUnderRuns;
    assert_eq!((receiving.count(overruns), receiving.count(underruns)), (1, 0));
    assert_eq!(receiving.poll(2)[0], "status 8448+32768");
    receiving.take(3, &data(LENGTH / 2, b"x"));
    receiving.take(3, &data(128, b"z"));
    assert_eq!((receiving.count(overruns), receiving.count(underruns)), (1, 1));
}

/// The sender has passed its limit by padding, and everything before that was lost. Its heartbeat is beyond the
/// threshold, but still shows what is missing. It does not count as a sign of life.
#[test]
fn a_heartbeat_past_the_threshold_shows_what_is_missing_before_it() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &heartbeat(LENGTH / 2 + 1024, true, false));
    assert_eq!(receiving.count(SystemCounter::FlowControlOverRuns), 1);
    assert_eq!(receiving.words.highest(), LENGTH / 2, "as far as it could be placed");
    receiving.poll(1);
    assert_eq!(receiving.poll(2), ["nak 7:0+32768"]);
    assert_eq!(receiving.words.condition(), Condition::Live, "where it says to end has not been reached");
}

/// Traps 48 and 53: data from before the last status message does not count as a sign of life.
#[test]
fn wire_trap_48_and_53_underruns_are_no_sign_of_life() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &data(0, &[1; 8160]));
    receiving.take(1, &data(8192, &[1; 992]));
    receiving.words.set_consumed(9216);
    receiving.poll(2);
    receiving.take(9_999_999, &data(0, &[2; 8160]));
    assert_eq!(receiving.count(SystemCounter::FlowControlUnderRuns), 1);
    receiving.poll(10_000_001);
    assert_eq!(receiving.words.condition(), Condition::Live);
    receiving.poll(10_000_002);
    assert_eq!(receiving.words.condition(), Condition::Silent);
}

/// Traps 54 and 55: the stream has ended when its sender signals that and everything has arrived. Then the image sends
/// that it leaves.
#[test]
fn wire_trap_55_it_ends_when_everything_has_come() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take(1, &heartbeat(64, true, false));
    receiving.poll(1);
    assert_eq!(receiving.words.condition(), Condition::Live, "something is missing");
    receiving.take(2, &data(0, b"a"));
    receiving.poll(3);
    assert_eq!(receiving.words.condition(), Condition::Ended { position: 64, revoked: false });
    assert_eq!(receiving.poll(4), ["status 0+32768 leaving"]);
    assert!(receiving.poll(200_000).is_empty());
    assert_eq!(receiving.poll(200_005), ["status 0+32768 leaving"]);
}

#[test]
fn wire_trap_54_all_transports_have_to_end() {
    let other = EndpointId::new(77);
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.take_from(1, other, &data(0, b"a"));
    receiving.take(1, &heartbeat(64, true, true));
    receiving.poll(2);
    assert_eq!(receiving.words.condition(), Condition::Live);
    receiving.take_from(3, other, &heartbeat(64, true, true));
    receiving.poll(4);
    assert_eq!(receiving.words.condition(), Condition::Ended { position: 64, revoked: true });
    assert_eq!(receiving.count(SystemCounter::PublicationImagesRevoked), 1);
    assert_eq!(receiving.poll(5), ["status 0+32768 leaving", "77: status 0+32768 leaving"]);
}

/// Five seconds after its sender has become silent, the image does, too.
#[test]
fn a_silent_connection_is_told_nothing() {
    let mut receiving = Receiving::new();
    receiving.take(0, &data(0, b"a"));
    assert_eq!(receiving.poll(4_999_999).len(), 1);
    assert!(receiving.poll(5_300_000).is_empty());
}

/// A rejected image accepts nothing, and sends the reason every 200 ms.
#[test]
fn a_rejected_image_says_why() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    receiving.image.reject(b"too late");
    assert_eq!(receiving.poll(1), ["error too late"]);
    receiving.take(2, &data(0, b"a"));
    assert!(receiving.poll(3).is_empty() && receiving.messages().is_empty());
    assert_eq!(receiving.poll(200_002), ["error too late"]);
    receiving.poll(10_000_001);
    assert_eq!(receiving.words.condition(), Condition::Silent);
}

/// Without reliability a gap becomes padding at once, and readers continue after it.
#[test]
fn without_reliability_gaps_are_filled() {
    let mut receiving = Receiving::with(0, |made_of| made_of.loss = LossRules::Fill);
    receiving.poll(0);
    receiving.take(1, &data(0, b"a"));
    receiving.take(1, &data(192, b"d"));
    assert!(receiving.poll(1).is_empty());
    receiving.poll(2);
    assert_eq!((receiving.messages(), receiving.image.rebuilt()), (b"ad".to_vec(), 256));
    assert_eq!(receiving.count(SystemCounter::LossGapFills), 1);
    receiving.take(3, &data(64, b"b"));
    assert_eq!(receiving.messages(), b"ad");
}

/// Readers pass the padding at once. Nothing is written behind it any more that begins in it.
#[test]
fn what_begins_in_padding_overwrites_nothing_behind_it() {
    let mut receiving = Receiving::with(0, |made_of| made_of.loss = LossRules::Fill);
    receiving.poll(0);
    receiving.take(1, &data(0, b"a"));
    receiving.take(1, &data(192, b"d"));
    receiving.poll(1);
    receiving.take(2, &data(128, &[9; 96]));
    assert_eq!(receiving.messages(), b"ad");
    receiving.take(3, &data(256, b"e"));
    assert_eq!((receiving.messages(), receiving.image.rebuilt()), (b"ade".to_vec(), 320));
}

/// Trap 1 and section 12.3: a term before the first is dropped, and garbage is counted.
#[test]
fn what_cannot_be_of_the_stream_is_dropped() {
    let mut receiving = Receiving::new();
    let mut before = data(0, b"a");
    before[20..24].copy_from_slice(&6_i32.to_le_bytes());
    receiving.take(1, &before);
    assert_eq!(receiving.count(SystemCounter::InvalidPackets), 0);
    let mut cut = data(0, &[1; 96]);
    cut.truncate(64);
    receiving.take(1, &cut);
    let mut beyond = data(LENGTH - 32, b"");
    beyond[0..4].copy_from_slice(&64_i32.to_le_bytes());
    beyond.resize(64, 0);
    receiving.take(1, &beyond);
    assert_eq!(receiving.count(SystemCounter::InvalidPackets), 2);
    receiving.poll(2);
    assert!(receiving.messages().is_empty());
}

/// A frame that begins inside an arrived frame is not inserted, wherever that is, since a subscriber may read there.
#[test]
fn a_datagram_that_begins_inside_a_frame_is_not_placed() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    // Zeros, so that each of its slots looks empty: once in order, once after a gap, and never scanned in between.
    for (position, gap) in [(0, 0), (512, 64)] {
        receiving.take(1, &data(position + gap, &[0; 224]));
        for inside in [32, 64, 224] {
            receiving.take(2, &data(position + gap + inside, &[9; 8]));
        }
        let log = receiving.log.clone();
        let term = log.term(0);
        let begin = usize::try_from(position + gap).unwrap();
        let mut payload = [1; 224];
        term.get_bytes(begin + 32, &mut payload);
        assert_eq!(payload, [0; 224], "at {position}");
        receiving.take(3, &data(position + gap + 256, &[9; 8]));
        assert_ne!(term.word_at::<i32>(begin + 256).load_relaxed(), 0, "what begins behind it is placed");
    }
}

/// An image that was replaced has nothing to tell: its rejection would be taken for that of its session's new image.
#[test]
fn an_image_that_was_replaced_rejects_nothing() {
    let mut receiving = Receiving::new();
    assert_eq!(receiving.poll(1).len(), 1);
    receiving.image.fall_silent();
    receiving.image.reject(b"no");
    assert_eq!(receiving.poll(300_000), Vec::<String>::new());
}

/// A rejected or replaced image requests nothing, and has no deadline for that.
#[test]
fn an_image_that_accepts_nothing_asks_for_nothing() {
    for end in [|image: &mut PublicationImage| image.reject(b"no"), PublicationImage::fall_silent] {
        let mut receiving = Receiving::new();
        receiving.poll(0);
        receiving.take(1, &data(64, b"behind a gap"));
        receiving.poll(1);
        assert_eq!(receiving.poll(2), ["nak 7:0+64"]);
        end(&mut receiving.image);
        receiving.poll(500_000);
        assert_eq!(receiving.poll(600_000), Vec::<String>::new());
        assert!(receiving.image.next_deadline() > at(600_000_000), "{:?}", receiving.image.next_deadline());
    }
}

/// Answers to round-trip questions that were never asked, or so long ago that they mean nothing, do not end the measuring.
#[test]
fn false_answers_do_not_end_the_measuring() {
    let cubic = CubicConfig { measure_rtt: true, ..CubicConfig::default() };
    let mut receiving = Receiving::with(0, |image| image.congestion_control = CongestionRules::Cubic(cubic, 32 << 10));
    let mut now_us = 3_600_000_000;
    // The questions in a second after an answer, which is made from the present time.
    let mut asked = |answer: Option<fn(i64) -> (i64, i64)>| {
        if let Some((echo_timestamp_ns, reception_delta_ns)) = answer.map(|answer| answer(now_us * 1_000)) {
            let answer = RttMeasurement {
                session_id: SESSION,
                stream_id: STREAM,
                echo_timestamp_ns,
                reception_delta_ns,
                receiver_id: RECEIVER,
                wants_answer: false,
            };
            let from = (RECEIVING, sender_address());
            receiving.image.on_rtt_measurement(at(now_us * 1_000), from, &answer, &mut Said::default());
        }
        receiving.take(now_us, &data(0, b"a"));
        let end = now_us + 1_000_000;
        let said: Vec<_> = (now_us..end).step_by(100).flat_map(|now_us| receiving.poll(now_us)).collect();
        now_us = end;
        said.iter().filter(|said| *said == "rtt").count()
    };
    assert_eq!(asked(None), 2_000, "every 500 us, because 400 us is the least");
    let false_answers: [fn(i64) -> (i64, i64); 6] = [
        |_| (0, 0),
        |_| (1, i64::MIN),
        |_| (i64::MIN, i64::MAX),
        |now_ns| (now_ns + 1, 0),
        |now_ns| (now_ns - 1_000, 2_000),
        |now_ns| (now_ns - 1_000, -1_000_000_000_000),
    ];
    for (number, answer) in false_answers.into_iter().enumerate() {
        assert_eq!(asked(Some(answer)), 2_000, "{number}");
    }
    let slow = asked(Some(|now_ns| (now_ns - 50_000_000, 0)));
    assert_eq!(slow, 4, "a true one counts");
}

/// The log shows a stream's subscribers how many transports feed it.
#[test]
fn the_log_says_how_many_transports_feed_it() {
    let mut receiving = Receiving::new();
    receiving.poll(0);
    assert_eq!(receiving.log.metadata().active_transport_count(), 1);
    receiving.take_from(1, EndpointId::new(77), &data(0, b"a"));
    receiving.poll(200_001);
    assert_eq!(receiving.log.metadata().active_transport_count(), 2);
    receiving.image.remove_transport(EndpointId::new(77));
    receiving.poll(400_002);
    assert_eq!(receiving.log.metadata().active_transport_count(), 1);
}

/// A stream that reaches the end of its last term is received completely.
#[test]
fn a_stream_is_received_up_to_its_last_position() {
    let end = TERM.max_position().get();
    let join = end - LENGTH;
    let mut receiving = Receiving::with(join, |_| {});
    let mut now_us = 1;
    for position in (join..end).step_by(1024) {
        now_us += 10;
        receiving.take(now_us, &data(position, &[7; 992]));
        receiving.poll(now_us);
        receiving.words.set_consumed(receiving.image.rebuilt());
    }
    assert_eq!((receiving.image.rebuilt(), receiving.messages().len()), (end, 64));
    for _ in 0..100 {
        now_us += 100_000;
        receiving.poll(now_us);
    }
    assert!((end - (8 << 10)..=end).contains(&receiving.image.announced()), "within a quarter of its window");
}

/// A stream ends at its last position like anywhere else: its heartbeats there keep its image alive, and their end of stream
/// ends it.
#[test]
fn a_stream_ends_at_its_last_position() {
    let end = TERM.max_position().get();
    let join = end - 4096;
    let mut receiving = Receiving::with(join, |_| {});
    receiving.poll(1);
    for position in (join..end).step_by(1024) {
        receiving.take(2, &data(position, &[7; 992]));
    }
    receiving.words.set_consumed(end);
    for now_us in (100_000..20_000_000).step_by(100_000) {
        receiving.take(now_us, &heartbeat(end, false, false));
        receiving.poll(now_us);
    }
    assert_eq!(receiving.words.condition(), Condition::Live);
    receiving.take(20_000_000, &heartbeat(end, true, false));
    receiving.poll(20_000_000);
    assert_eq!(receiving.words.condition(), Condition::Ended { position: end, revoked: false });
}

/// What was lost before the last position is asked for, although only heartbeats show it.
#[test]
fn what_was_lost_before_the_last_position_is_asked_for() {
    let end = TERM.max_position().get();
    let mut receiving = Receiving::with(end - 64, |_| {});
    receiving.poll(1);
    receiving.take(2, &heartbeat(end, true, false));
    receiving.poll(10);
    assert_eq!(receiving.poll(20), [format!("nak {}:{}+64", INITIAL.wrapping_add(i32::MAX), LENGTH - 64)]);
    assert_eq!(receiving.words.condition(), Condition::Live);
    receiving.take(30, &data(end - 64, &[7; 32]));
    receiving.poll(30);
    assert_eq!(receiving.words.condition(), Condition::Ended { position: end, revoked: false });
}
