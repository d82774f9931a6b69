//! A publication in its sender: setups, heartbeats, windows, retransmits, and which receivers it believes.

use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, LogBuffers, LogKind, OfferError};
use gannet::memory::OwnedWord;
use gannet::protocol::{ErrorFrame, Nak, StatusMessage};
use gannet::types::{Position, TermId};
use gannet_driver::mailbox::{FlowControlRules, GroupRules, NewNetworkPublication, Outcome, PublicationCounters};
use gannet_driver::sender::network_publication::NetworkPublication;
use gannet_driver::sender::outlet::{Outgoing, Outlet};
use gannet_driver::shared::{NetworkCounters, PublicationWords};

use crate::support::*;

/// Accepts everything, for one destination.
#[derive(Default)]
struct Taken {
    all: Vec<Outgoing>,
    room: Option<usize>,
}

impl Outlet for Taken {
    fn destinations(&self) -> usize {
        1
    }

    fn has_room(&self) -> bool {
        self.room.is_none_or(|room| self.all.len() < room)
    }

    fn put(&mut self, _: &LogBuffers, what: Outgoing) {
        self.all.push(what);
    }
}

struct Sending {
    publication: NetworkPublication,
    appender: ExclusiveAppender,
    counters: NetworkCounters,
    words: PublicationWords,
    shown: PublicationCounters,
    log: LogBuffers,
    /// The position up to which can be published.
    publisher_limit: OwnedWord<i64>,
    /// Whether sent datagrams are completed at once, and how.
    completes: bool,
    outcome: Outcome,
}

impl Sending {
    fn new() -> Self {
        Self::with(0, |_| {})
    }

    fn with(start: i64, change: impl FnOnce(&mut NewNetworkPublication)) -> Self {
        let log = log(LogKind::Exclusive, INITIAL, start);
        let mut made_of = publication(&log, start);
        change(&mut made_of);
        let publisher_limit = word(start + LENGTH);
        let (words, shown) = (made_of.words.clone(), made_of.counters.clone());
        Self {
            publication: NetworkPublication::new(made_of, at(0)),
            appender: ExclusiveAppender::new(&log, publisher_limit.clone()).unwrap(),
            counters: NetworkCounters::heap(),
            words,
            shown,
            log,
            publisher_limit,
            completes: true,
            outcome: Outcome::Sent,
        }
    }

    fn poll(&mut self, now: i64) -> Vec<Outgoing> {
        let mut taken = Taken::default();
        self.publication.poll(at(now), &self.counters, &mut taken);
        if self.completes {
            for outgoing in &taken.all {
                if let Outgoing::Data(position, _) = outgoing {
                    self.publication.on_completion(position.get(), self.outcome);
                }
            }
        }
        taken.all
    }

    /// Records what it sends over a period, polled every millisecond, as one line per frame.
    fn story(&mut self, from_ms: i64, to_ms: i64) -> Vec<String> {
        let mut story = Vec::new();
        for now in from_ms..=to_ms {
            story.extend(self.poll(now * MS).into_iter().map(|outgoing| match outgoing {
                Outgoing::Setup(setup) => format!("{now} setup {}:{}", setup.active_term_id, setup.term_offset),
                Outgoing::Heartbeat(beat) => {
                    let mut line = format!("{now} heartbeat {}:{}", beat.term_id, beat.term_offset);
                    line.push_str(if beat.revoked {
                        " revoked"
                    } else if beat.end_of_stream {
                        " end"
                    } else {
                        ""
                    });
                    line
                }
                Outgoing::Data(position, length) => format!("{now} data {position}+{length}"),
                Outgoing::Resend(position, length) => format!("{now} resend {position}+{length}"),
                Outgoing::Rtt(_) => format!("{now} rtt"),
            }));
        }
        story
    }

    fn hear(&mut self, now_ms: i64, message: &StatusMessage) {
        self.publication.on_status_message(at(now_ms * MS), message, &self.counters);
    }

    fn nak(&mut self, now_ms: i64, term_offset: i32, length: i32) {
        let nak = Nak { session_id: SESSION, stream_id: STREAM, term_id: INITIAL, term_offset, length };
        self.publication.on_nak(at(now_ms * MS), &nak, &self.counters);
    }

    fn count(&self, counter: SystemCounter) -> i64 {
        self.counters.get(counter)
    }
}

/// Traps 21 and 22: setups until a receiver answers, then heartbeats for the rest of its life.
#[test]
fn wire_trap_21_and_22_setups_and_then_heartbeats() {
    let mut sending = Sending::new();
    assert_eq!(sending.story(0, 250), ["0 setup 7:0", "101 setup 7:0", "202 setup 7:0"]);
    sending.hear(250, &status(0, 4096));
    assert_eq!(sending.story(251, 452), ["251 heartbeat 7:0", "352 heartbeat 7:0"]);
    // All receivers timed out long ago.
    assert_eq!(sending.story(20_000, 20_100), ["20000 heartbeat 7:0"]);
    assert!(!sending.words.receivers().alive);
}

/// A resting publication that is disturbed and has sent everything rests again as soon as that is completed, and not
/// before.
#[test]
fn what_was_disturbed_goes_on_resting_once_all_is_answered_for() {
    let mut sending = Sending::new();
    sending.hear(0, &status(0, 4096));
    sending.poll(0);
    let mut rest = sending.publication.rest().expect("nothing is published");
    let until = rest.until();
    sending.completes = false;
    for at_once in [true, false] {
        sending.appender.offer(&[1; 32]).unwrap();
        assert!(!rest.is_undisturbed());
        let begin = sending.publication.sent();
        assert_eq!(sending.poll(1), [Outgoing::Data(Position::new(begin), 64)]);
        assert!(!sending.publication.goes_on_resting(&mut rest), "the transport has it");
        if !at_once {
            sending.appender.offer(&[2; 32]).unwrap();
        }
        sending.publication.on_completion(begin, Outcome::Sent);
        assert_eq!(sending.publication.goes_on_resting(&mut rest), at_once, "unless there is more");
        assert_eq!((rest.is_undisturbed(), rest.until()), (at_once, until));
    }
    let begin = sending.publication.sent();
    sending.poll(2);
    sending.publication.on_completion(begin, Outcome::NoRoom);
    assert!(!sending.publication.goes_on_resting(&mut rest), "it is to be sent again");
}

/// Trap 23: a setup request is no sign of life, and has no position.
#[test]
fn wire_trap_23_a_request_for_a_setup_is_no_liveness() {
    let mut sending = Sending::new();
    sending.story(0, 0);
    sending.hear(1, &StatusMessage { asks_for_setup: true, receiver_window: 4096, ..status(0, 4096) });
    assert_eq!(sending.publication.limit(), 0);
    assert!(!sending.words.receivers().alive);
    assert_eq!(sending.story(1, 150), ["101 setup 7:0"]);
}

/// Trap 4: a setup has the term of the sender's position, however far ahead the publisher is.
#[test]
fn wire_trap_04_setups_state_the_senders_term() {
    let start = LENGTH / 2;
    let mut sending = Sending::with(start, |_| {});
    while sending.log.producer_position().get() <= LENGTH {
        // At the end of a term the publisher has to try again.
        let _ = sending.appender.offer(&[7; 1376]);
    }
    assert_eq!(sending.story(0, 0), ["0 setup 7:32768"]);
}

/// Traps 24 and 25: after all receivers are gone, setups are sent on request only, and then until a receiver is alive.
#[test]
fn wire_trap_24_and_25_setups_on_request() {
    let mut sending = Sending::new();
    sending.hear(0, &status(0, 4096));
    sending.story(0, 6_000);
    assert!(!sending.words.receivers().alive);
    let quiet = sending.story(6_001, 6_300);
    assert!(quiet.iter().all(|line| line.contains("heartbeat")), "{quiet:?}");
    sending.hear(6_300, &StatusMessage { asks_for_setup: true, ..status(0, 0) });
    let setups = |story: Vec<String>| story.into_iter().filter(|line| line.contains("setup")).collect::<Vec<_>>();
    assert_eq!(setups(sending.story(6_300, 6_510)), ["6300 setup 7:0", "6401 setup 7:0", "6502 setup 7:0"]);
    sending.hear(6_510, &status(0, 4096));
    assert_eq!(setups(sending.story(6_511, 6_900)), ["6603 setup 7:0"], "one more, as its request stood");
}

/// Trap 26, and section 25.1 item 7: a window of 4096 allows three frames of 1056, then heartbeats.
#[test]
fn wire_trap_26_frames_go_whole_or_not_at_all() {
    let mut sending = Sending::new();
    for _ in 0..8 {
        sending.appender.offer(&[7; 1024]).unwrap();
    }
    sending.hear(0, &status(0, 4096));
    let story = sending.story(0, 150);
    assert_eq!(story, ["0 data 0+1056", "0 data 1056+1056", "0 data 2112+1056", "101 heartbeat 7:3168"]);
    assert_eq!(sending.words.sender_position(), 3168);
    assert_eq!(sending.shown.back_pressure.load_acquire(), 1, "once, however often it was stopped");
    assert_eq!(sending.count(SystemCounter::SenderFlowControlLimits), 1);
    sending.hear(150, &status(3168, 1056));
    assert_eq!(sending.story(151, 151), ["151 data 3168+1056"]);
}

/// Small messages share a datagram up to the MTU: three of 100 bytes make one of 480.
#[test]
fn small_messages_share_a_datagram() {
    let mut sending = Sending::new();
    (0..3).for_each(|_| _ = sending.appender.offer(&[7; 100]).unwrap());
    sending.hear(0, &status(0, 4096));
    assert_eq!(sending.story(0, 0), ["0 data 0+480"]);
}

/// Traps 8 and 27: for padding only the header is sent. Position and limit pass the range it covers.
#[test]
fn wire_trap_27_the_position_may_pass_the_limit_by_padding() {
    let start = 60_000;
    let mut sending = Sending::with(start, |_| {});
    // It does not fit into the rest of the term.
    assert_eq!(sending.appender.offer(&[7; 6000]), Err(OfferError::AdminAction));
    sending.hear(0, &status(start, 32));
    let story = sending.story(0, 1);
    assert_eq!(story, ["0 data 60000+32"]);
    assert_eq!((sending.publication.sent(), sending.publication.limit()), (LENGTH, start + 32));
    // Trap 3: the end of a term is offset 0 of the next.
    assert_eq!(sending.story(101, 102), ["101 heartbeat 8:0"]);
}

/// If padding exceeded the limit, a receiver that reads nothing is more than half a term behind. It is still believed.
#[test]
fn a_receiver_that_reads_nothing_behind_padding_is_not_given_up() {
    let half = LENGTH / 2;
    let start = half - 64;
    let mut sending = Sending::with(start, |_| {});
    // A message up to close to the end of the term, and one that does not fit behind it.
    for _ in 0..4 {
        sending.appender.offer(&[7; 8_000 - 32]).unwrap();
    }
    assert_eq!(sending.appender.offer(&[7; 2_000]), Err(OfferError::AdminAction));
    for second in 0..10 {
        sending.hear(second * 1_000, &status(start, half as i32));
        sending.story(second * 1_000, second * 1_000 + 100);
    }
    assert_eq!((sending.publication.sent(), sending.publication.limit()), (LENGTH, start + half));
    assert_eq!(sending.count(SystemCounter::StatusMessagesRejected), 0);
    assert!(sending.words.receivers().alive);
}

/// Trap 29: silent receivers time out only in duty cycles without data.
#[test]
fn wire_trap_29_receivers_are_given_up_in_idle_turns() {
    let rules = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 0 };
    let count = word(0);
    let mut sending = Sending::with(0, |made_of| {
        made_of.flow_control = FlowControlRules::Min(rules);
        made_of.group = true;
        made_of.counters.receivers = Some(count.clone());
    });
    let says = |receiver_id| StatusMessage { receiver_id, ..status(0, 32_768) };
    [8, 9].into_iter().for_each(|receiver| sending.hear(0, &says(receiver)));
    sending.hear(6_000, &says(9));
    sending.appender.offer(b"more").unwrap();
    assert_eq!(sending.story(6_000, 6_000), ["6000 data 0+64"]);
    assert_eq!(count.load_acquire(), 2);
    sending.poll(6_001 * MS);
    assert_eq!(count.load_acquire(), 1);
}

/// Trap 30, and a bug in another implementation: a status message half a term out of bounds moves nothing.
#[test]
fn wire_trap_30_status_messages_far_off_are_refused() {
    let mut sending = Sending::with(2 * LENGTH, |_| {});
    let half = LENGTH / 2;
    for position in [2 * LENGTH + half + 32, 2 * LENGTH - half - 32, 64 * LENGTH] {
        let before = sending.count(SystemCounter::StatusMessagesRejected);
        sending.hear(0, &status(position, 32));
        assert_eq!(sending.count(SystemCounter::StatusMessagesRejected), before + 1, "{position}");
    }
    let other_stream = StatusMessage { consumption_term_id: TermId::new(6), ..status(0, 32) };
    sending.hear(0, &other_stream);
    assert_eq!(sending.count(SystemCounter::StatusMessagesRejected), 4);
    assert!(!sending.words.receivers().alive && sending.publication.limit() == 2 * LENGTH);
    let invalid = sending.count(SystemCounter::InvalidPackets);
    sending.hear(0, &status(2 * LENGTH, half as i32 + 32));
    sending.hear(0, &status(2 * LENGTH, -1));
    let misplaced = StatusMessage { consumption_term_offset: 8, ..status(2 * LENGTH, 32) };
    sending.hear(0, &misplaced);
    assert_eq!(sending.count(SystemCounter::InvalidPackets), invalid + 3);
    sending.hear(0, &status(2 * LENGTH + half, 32));
    assert_eq!(sending.publication.limit(), 2 * LENGTH + half + 32, "exactly half a term is believed");
}

/// Trap 31: datagrams that the transport could not send are sent again, with everything after them.
#[test]
fn wire_trap_31_a_failed_send_is_repeated_from_there() {
    let mut sending = Sending::new();
    sending.completes = false;
    for _ in 0..3 {
        sending.appender.offer(&[7; 1376]).unwrap();
    }
    sending.hear(0, &status(0, 32_768));
    assert_eq!(sending.story(0, 0), ["0 data 0+1408", "0 data 1408+1408", "0 data 2816+1408"]);
    sending.publication.on_completion(2816, Outcome::Sent);
    assert_eq!(sending.publication.sent(), 0, "oldest first");
    sending.publication.on_completion(0, Outcome::Sent);
    assert_eq!(sending.publication.sent(), 1408);
    assert!(sending.story(1, 1).is_empty(), "submitted is not sent");
    sending.publication.on_completion(1408, Outcome::NoRoom);
    assert_eq!(sending.publication.sent(), 1408);
    assert_eq!(sending.story(2, 2), ["2 data 1408+1408", "2 data 2816+1408"]);
}

/// A failure is remembered while later ranges are with the transport.
#[test]
fn after_a_failure_nothing_is_sent_until_all_is_answered() {
    let mut sending = Sending::new();
    sending.completes = false;
    (0..2).for_each(|_| _ = sending.appender.offer(&[7; 1376]).unwrap());
    sending.hear(0, &status(0, 32_768));
    sending.story(0, 0);
    sending.publication.on_completion(0, Outcome::NoRoom);
    assert!(sending.story(1, 1).is_empty());
    sending.publication.on_completion(1408, Outcome::Sent);
    assert_eq!(sending.publication.sent(), 0, "what came behind the failure does not count");
    assert_eq!(sending.story(2, 2), ["2 data 0+1408", "2 data 1408+1408"]);
}

/// A NAK is answered from the log, in datagrams up to the MTU, and not again during the linger. Neither position nor
/// limit moves.
#[test]
fn naks_are_answered_from_the_log() {
    let mut sending = Sending::new();
    for _ in 0..6 {
        sending.appender.offer(&[7; 1376]).unwrap();
    }
    sending.hear(0, &status(0, 32_768));
    sending.story(0, 10);
    assert_eq!(sending.publication.sent(), 6 * 1408);
    sending.nak(11, 1408, 2816);
    assert_eq!(sending.story(11, 11), ["11 resend 1408+1408", "11 resend 2816+1408"]);
    sending.nak(12, 2816, 1408);
    assert!(sending.story(12, 22).is_empty(), "it is within what was just sent again");
    sending.nak(23, 1408, 1408);
    assert_eq!(sending.story(23, 23), ["23 resend 1408+1408"]);
    assert_eq!((sending.publication.sent(), sending.publication.limit()), (6 * 1408, 32_768));
    assert_eq!(sending.count(SystemCounter::RetransmitsSent), 3);
    assert_eq!(sending.count(SystemCounter::RetransmittedBytes), 3 * 1408);
    assert_eq!((sending.count(SystemCounter::NaksReceived), sending.shown.naks_received.load_acquire()), (3, 3));
}

/// Trap 35: only ranges close behind the sender position are retransmitted, and never data that was not sent yet.
#[test]
fn wire_trap_35_old_and_future_ranges_are_not_sent_again() {
    let mut sending = Sending::new();
    sending.appender.offer(&[7; 1376]).unwrap();
    sending.hear(0, &status(0, 32_768));
    sending.story(0, 1);
    sending.nak(2, 1408, 64);
    sending.nak(2, 4096, 64);
    sending.nak(2, 0, 0);
    assert!(sending.story(2, 20).is_empty());
    assert_eq!(sending.count(SystemCounter::InvalidPackets), 0);
    for (offset, length) in [(8, 64), (LENGTH as i32, 64), (LENGTH as i32 - 32, 64), (0, -1), (-32, 64)] {
        sending.nak(2, offset, length);
    }
    assert_eq!(sending.count(SystemCounter::InvalidPackets), 5);
    let start = 3 * LENGTH;
    let mut later = Sending::with(start, |_| {});
    later.nak(0, 0, 64);
    assert!(later.story(0, 1).iter().all(|line| line.contains("setup")), "three terms ago");
}

/// NAKs for the whole window, again and again: retransmits are bounded by the linger.
#[test]
fn a_flood_of_naks_is_bounded() {
    let mut sending = Sending::new();
    for _ in 0..20 {
        sending.appender.offer(&[7; 1376]).unwrap();
    }
    sending.hear(0, &status(0, 32_768));
    sending.story(0, 10);
    let mut resends = 0;
    for now in 11..21 {
        (0..100).for_each(|_| sending.nak(now, 0, 20 * 1408));
        resends += sending.story(now, now).iter().filter(|line| line.contains("resend")).count();
    }
    assert_eq!(resends, 20);
}

/// Many retransmits are queued while the stream continues: some are too old when their turn comes.
#[test]
fn ranges_that_grow_old_while_they_wait_are_not_sent_again() {
    let mut sending = Sending::new();
    let half = LENGTH / 2;
    sending.publisher_limit.store_release(2 * LENGTH);
    (0..80).for_each(|_| while sending.appender.offer(&[7; 1376]).is_err() {});
    let mut now = 0;
    while sending.publication.sent() < half - 1408 {
        sending.hear(now, &status(sending.publication.sent(), half as i32));
        sending.poll(now * MS);
        now += 1;
    }
    for _ in 0..120 {
        // Neither begins within the other, which takes its place.
        sending.nak(now, 11 * 1408, 11 * 1408);
        sending.nak(now, 0, 11 * 1408);
    }
    let (mut resends, mut oldest) = (0, i64::MAX);
    while sending.publication.sent() < 3 * half {
        sending.hear(now, &status(sending.publication.sent(), half as i32));
        let sent = sending.publication.sent();
        for outgoing in sending.poll(now * MS) {
            if let Outgoing::Resend(position, _) = outgoing {
                oldest = oldest.min(position.get() - sent);
                resends += 1;
            }
        }
        now += 1;
    }
    assert!(resends > 100, "{resends}");
    assert!(-oldest <= half + LENGTH / 8, "{oldest}");
}

/// Reference, section 7.8 and trap 56: an ended stream signals its end, and cannot be joined.
#[test]
fn the_end_is_told_and_cannot_be_joined() {
    let mut sending = Sending::new();
    sending.appender.offer(b"last").unwrap();
    sending.hear(0, &status(0, 0));
    sending.publication.end_at(64, false);
    assert_eq!(sending.story(0, 101), ["0 heartbeat 7:0", "101 heartbeat 7:0"], "not all was sent");
    sending.hear(102, &status(0, 4096));
    assert_eq!(sending.story(102, 204), ["102 data 0+64", "203 heartbeat 7:64 end"]);
    sending.hear(204, &StatusMessage { asks_for_setup: true, ..status(0, 0) });
    assert_eq!(sending.story(205, 305), ["304 heartbeat 7:64 end"]);
    sending.hear(305, &StatusMessage { end_of_stream: true, ..status(64, 4096) });
    assert!(sending.words.receivers().left && !sending.words.receivers().alive);
}

/// A receiver that left does not end the time for retransmit requests of a receiver that follows it, or of itself after
/// it came back.
#[test]
fn who_follows_a_receiver_that_left_may_ask_for_what_it_misses() {
    let mut sending = Sending::new();
    sending.hear(0, &status(0, 4096));
    sending.hear(1, &StatusMessage { end_of_stream: true, ..status(0, 4096) });
    assert!(sending.words.receivers().left);
    sending.hear(2, &StatusMessage { receiver_id: 9, ..status(0, 4096) });
    assert!(sending.words.receivers().alive && !sending.words.receivers().left);
    // A leaving receiver says so several times.
    sending.hear(3, &StatusMessage { end_of_stream: true, ..status(0, 4096) });
    assert!(sending.words.receivers().alive && !sending.words.receivers().left);
    sending.hear(3, &StatusMessage { receiver_id: 9, end_of_stream: true, ..status(0, 4096) });
    assert!(sending.words.receivers().left);
}

#[test]
fn without_eos_the_end_is_not_told_unless_revoked() {
    let mut sending = Sending::with(0, |made_of| made_of.signal_eos = false);
    sending.hear(0, &status(0, 4096));
    sending.publication.end_at(0, false);
    assert_eq!(sending.story(0, 0), ["0 heartbeat 7:0"]);
    sending.publication.end_at(0, true);
    assert_eq!(sending.story(101, 101), ["101 heartbeat 7:0 revoked"]);
}

/// A rejection is reported once.
#[test]
fn a_rejection_is_news_once() {
    let mut sending = Sending::new();
    sending.hear(0, &status(0, 4096));
    let error = ErrorFrame {
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: RECEIVER,
        group_tag: None,
        error_code: 13,
        text: b"no",
    };
    let counters = sending.counters.clone();
    assert!(sending.publication.on_error(&error, &counters));
    assert!(!sending.words.receivers().alive);
    assert!(!sending.publication.on_error(&error, &counters));
    assert_eq!(sending.count(SystemCounter::ErrorFramesReceived), 2);
}

/// Trap 40: with a minimum group size, the publication may have receivers, but too few.
#[test]
fn wire_trap_40_too_small_a_group_is_not_enough() {
    let rules = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 2 };
    let mut sending = Sending::with(0, |made_of| {
        made_of.flow_control = FlowControlRules::Min(rules);
        made_of.group = true;
    });
    sending.hear(0, &status(0, 4096));
    assert!(sending.words.receivers().alive && !sending.words.receivers().enough);
    sending.hear(0, &StatusMessage { receiver_id: 9, ..status(0, 4096) });
    assert!(sending.words.receivers().enough);
    assert_eq!(sending.publication.limit(), 4096);
    sending.hear(0, &StatusMessage { end_of_stream: true, ..status(0, 4096) });
    assert!(!sending.words.receivers().left, "one of a group is not all");
}

/// With `ssc` and without receivers, the position follows the fastest spy. Nothing is sent of the passed range.
#[test]
fn spies_alone_keep_it_going() {
    let mut sending = Sending::with(0, |made_of| made_of.spies_simulate_connection = true);
    sending.appender.offer(&[7; 1376]).unwrap();
    sending.words.set_spy_position(Some(1408));
    assert_eq!(sending.story(0, 150), ["0 setup 7:0", "101 setup 7:1408"]);
    assert_eq!(sending.words.sender_position(), 1408);
    assert_eq!(sending.log.producer_position().get(), 1408);
}

/// The receivers are gone, and the network with them: what they would still take cannot be sent, and holds up nobody.
#[test]
fn spies_keep_it_going_where_nothing_can_be_sent() {
    let mut sending = Sending::with(0, |made_of| made_of.spies_simulate_connection = true);
    sending.outcome = Outcome::Refused;
    sending.hear(0, &status(0, 32_768));
    (0..2).for_each(|_| _ = sending.appender.offer(&[7; 1376]).unwrap());
    sending.words.set_spy_position(Some(2816));
    sending.story(1, 4_999);
    assert_eq!(sending.words.sender_position(), 0, "while there are receivers");
    sending.story(5_000, 5_002);
    assert_eq!((sending.words.sender_position(), sending.publication.limit()), (2816, 2816));
    assert!(sending.story(5_003, 5_050).is_empty());
    sending.outcome = Outcome::Sent;
    sending.hear(5_051, &status(2816, 4_096));
    sending.appender.offer(&[7; 1376]).unwrap();
    assert_eq!(sending.story(5_051, 5_051), ["5051 data 2816+1408"]);
}

/// Where the path takes no datagram of the MTU, data is tried all the time. Heartbeats tell the receivers that the stream
/// is alive.
#[test]
fn heartbeats_go_on_where_data_is_refused() {
    let mut sending = Sending::new();
    sending.hear(0, &status(0, 32_768));
    assert_eq!(sending.story(0, 0), ["0 heartbeat 7:0"]);
    sending.outcome = Outcome::Refused;
    sending.appender.offer(&[7; 1376]).unwrap();
    let story = sending.story(1, 350);
    let beats: Vec<_> = story.iter().filter(|line| line.contains("heartbeat")).collect();
    assert_eq!(beats, ["102 heartbeat 7:0", "203 heartbeat 7:0", "304 heartbeat 7:0"]);
    assert_eq!(story.len(), 353, "data each time");
}

/// Trap 64: a datagram may be passed with the time of an earlier duty cycle, which neither delays nor repeats anything.
#[test]
fn wire_trap_64_a_clock_that_is_a_turn_behind_does_no_harm() {
    let mut sending = Sending::new();
    sending.story(0, 100);
    sending.hear(99, &status(0, 4096));
    sending.appender.offer(&[7; 1376]).unwrap();
    assert_eq!(sending.story(100, 100), ["100 data 0+1408"]);
    sending.nak(99, 0, 1408);
    assert_eq!(sending.story(100, 100), ["100 resend 0+1408"]);
    sending.nak(98, 0, 1408);
    assert!(sending.story(101, 101).is_empty());
    assert!(sending.words.receivers().alive);
}

/// A full batch only costs time.
#[test]
fn without_room_nothing_is_taken() {
    let mut sending = Sending::new();
    (0..3).for_each(|_| _ = sending.appender.offer(&[7; 1376]).unwrap());
    sending.hear(0, &status(0, 32_768));
    let counters = sending.counters.clone();
    let mut taken = Taken { room: Some(1), ..Taken::default() };
    sending.publication.poll(at(0), &counters, &mut taken);
    assert!(matches!(taken.all[..], [Outgoing::Data(..)]));
    sending.publication.on_completion(0, Outcome::Sent);
    assert_eq!(sending.story(1, 1), ["1 data 1408+1408", "1 data 2816+1408"]);
}

/// A stream that has reached the end of its last term is sent completely, and signals its end as long as it exists.
#[test]
fn a_stream_is_sent_up_to_its_last_position() {
    let end = TERM.max_position().get();
    let start = end - LENGTH;
    let mut sending = Sending::with(start, |_| {});
    sending.hear(0, &status(start, 32 << 10));
    let mut sent = start;
    for ms in 1..200 {
        while sending.appender.offer(&[7; 1000]).is_ok() {}
        for outgoing in sending.poll(ms * MS) {
            if let Outgoing::Data(position, _) = outgoing {
                assert!((start..end).contains(&position.get()), "{position}");
            }
        }
        sent = sent.max(sending.publication.sent());
        sending.hear(ms, &status(sent & -1024, 32 << 10));
    }
    assert_eq!(sending.appender.offer(&[7; 1000]), Err(OfferError::MaxPositionExceeded));
    assert_eq!((sent, sending.words.sender_position()), (end, end), "with the padding at its end");
    assert_eq!(sending.story(1_000, 1_250).len(), 3, "heartbeats");
    sending.nak(1_300, 0, TERM.get());
    sending.publication.end_at(end, false);
    assert!(sending.publication.is_end_of_stream());
    sending.story(1_300, 1_500);
}

/// Receivers that have read everything up to the last position are alive, and may leave.
#[test]
fn receivers_at_the_last_position_count() {
    let end = TERM.max_position().get();
    let mut sending = Sending::with(end - 1024, |_| {});
    sending.hear(0, &status(end - 1024, 32 << 10));
    sending.appender.offer(&[7; 992]).unwrap();
    sending.story(0, 1);
    assert_eq!(sending.publication.sent(), end);
    for ms in (0..20_000).step_by(200) {
        sending.hear(ms, &status(end, 32 << 10));
        sending.poll(ms * MS);
        assert!(sending.words.receivers().alive, "after {ms} ms");
    }
    assert_eq!(sending.count(SystemCounter::StatusMessagesRejected), 0);
    sending.publication.end_at(end, false);
    sending.hear(20_000, &StatusMessage { end_of_stream: true, ..status(end, 32 << 10) });
    assert!(sending.words.receivers().left);
}
