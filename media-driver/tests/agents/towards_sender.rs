//! What strangers may send to a sender: NAKs, round-trip requests, errors and response setups that are cut, of another
//! version, out of range, or of somebody else's stream. Each has an effect when it is sound, and none when it is not.

use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, LogKind};
use gannet::protocol::{ErrorFrame, Nak, ResponseSetup, RttMeasurement};
use gannet::types::SessionId;
use gannet_driver::mailbox::{
    Completion, DestinationRules, EndpointId, Outcome, SenderCommand, SenderEvent, TransmitBatch,
};
use gannet_driver::sender::Sender;
use gannet_driver::shared::NetworkCounters;

use crate::support::*;

/// A sender of a request stream that has sent one datagram.
struct Sending {
    sender: Sender,
    counters: NetworkCounters,
    batch: TransmitBatch,
}

impl Sending {
    fn new() -> Self {
        Self::of(true)
    }

    fn of(asks_for_response: bool) -> Self {
        let log = log(LogKind::Exclusive, INITIAL, 0);
        let mut made_of = publication(&log, 0);
        made_of.asks_for_response = asks_for_response;
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
        let mut this = Self { sender, counters, batch: TransmitBatch::new(64) };
        let mut bytes = [0; 64];
        let length = status(0, 32_768).write(&mut bytes);
        this.hear(&bytes[..length]);
        ExclusiveAppender::new(&log, word(LENGTH)).unwrap().offer(&[7; 1_000]).unwrap();
        this.effects();
        this
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.sender.on_datagram(at(MS), SENDING, receiver_address(), datagram);
    }

    /// What it sends and tells at this moment.
    fn effects(&mut self) -> Vec<String> {
        self.sender.poll_transmit(at(MS), &mut self.batch);
        let mut effects = Vec::new();
        for transmit in self.batch.drain().collect::<Vec<_>>() {
            effects.push(format!("sends type {}", bytes(&transmit)[6]));
            self.sender.on_completion(Completion { tag: transmit.tag, outcome: Outcome::Sent });
        }
        while let Some(event) = self.sender.next_event() {
            effects.push(match event {
                SenderEvent::Rejected { text, .. } => format!("is rejected: {}", String::from_utf8_lossy(&text)),
                SenderEvent::ResponseSetup(_, session) => format!("has a response {}", session.get()),
                other => format!("{other:?}"),
            });
        }
        effects
    }

    fn invalid(&self) -> i64 {
        self.counters.get(SystemCounter::InvalidPackets)
    }

    /// Hears a datagram that must be counted as invalid, and have no other effect.
    fn refuses(&mut self, datagram: &[u8]) {
        let before = self.invalid();
        self.hear(datagram);
        assert_eq!((self.invalid(), self.effects()), (before + 1, Vec::new()), "{datagram:?}");
    }

    /// Hears a datagram that must be dropped, without a count.
    fn drops(&mut self, endpoint: EndpointId, datagram: &[u8]) {
        let before = self.invalid();
        self.sender.on_datagram(at(MS), endpoint, receiver_address(), datagram);
        assert_eq!((self.invalid(), self.effects()), (before, Vec::new()), "{datagram:?}");
    }
}

fn written(write: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    let length = write(&mut bytes);
    bytes.truncate(length);
    bytes
}

/// A sound frame of each type for the stream, and its effect.
fn frames() -> [(Vec<u8>, &'static str); 4] {
    let (session_id, stream_id) = (SESSION, STREAM);
    let nak = Nak { session_id, stream_id, term_id: INITIAL, term_offset: 0, length: 1_056 };
    let question = RttMeasurement {
        session_id,
        stream_id,
        echo_timestamp_ns: 1_000,
        reception_delta_ns: 0,
        receiver_id: RECEIVER,
        wants_answer: true,
    };
    let (receiver_id, group_tag, error_code, text) = (RECEIVER, None, 13, &b"no"[..]);
    let error = ErrorFrame { session_id, stream_id, receiver_id, group_tag, error_code, text };
    let setup = ResponseSetup { session_id, stream_id, response_session_id: SessionId::new(77) };
    [
        (written(|bytes| nak.write(bytes)), "sends type 1"),
        (written(|bytes| question.write(bytes)), "sends type 6"),
        (written(|bytes| error.write(bytes)), "is rejected: no"),
        (written(|bytes| setup.write(bytes)), "has a response 77"),
    ]
}

fn changed(bytes: &[u8], at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// So that the other tests show something.
#[test]
fn sound_frames_have_their_effects() {
    for (frame, effect) in frames() {
        let mut sending = Sending::new();
        sending.hear(&frame);
        assert_eq!((sending.effects(), sending.invalid()), (vec![effect.to_owned()], 0));
    }
}

#[test]
fn truncated_frames_are_counted() {
    for (frame, _) in frames() {
        let mut sending = Sending::new();
        (0..frame.len()).for_each(|length| sending.refuses(&frame[..length]));
    }
}

#[test]
fn frames_of_another_version_are_counted() {
    for (frame, _) in frames() {
        let mut sending = Sending::new();
        [1, 0x7F, 0xFF].iter().for_each(|&version| sending.refuses(&changed(&frame, 4, &[version])));
    }
}

/// Lengths that are negative, or exceed the datagram.
#[test]
fn frames_of_another_length_are_counted() {
    for (frame, _) in frames() {
        let mut sending = Sending::new();
        for length in [-1, i32::MIN, frame.len() as i32 + 1, i32::MAX] {
            sending.refuses(&changed(&frame, 0, &length.to_le_bytes()));
        }
    }
}

/// Gaps that start between frames, or do not lie within a term.
#[test]
fn misaligned_naks_are_counted() {
    let [(nak, _), ..] = frames();
    let mut sending = Sending::new();
    for offset in [8, 31, -32, i32::MIN, LENGTH as i32, i32::MAX] {
        sending.refuses(&changed(&nak, 20, &offset.to_le_bytes()));
    }
    for length in [-1, i32::MIN, LENGTH as i32 + 32, i32::MAX] {
        sending.refuses(&changed(&nak, 24, &length.to_le_bytes()));
    }
    assert_eq!(sending.counters.get(SystemCounter::NaksReceived), 0);
    // Sound in itself, but of terms that were not sent.
    for term in [INITIAL.get() - 1, INITIAL.get() + 1, i32::MIN, i32::MAX] {
        sending.drops(SENDING, &changed(&nak, 16, &term.to_le_bytes()));
    }
}

/// Reasons that are longer than their frame, than any may be, or of less than no length.
#[test]
fn errors_whose_reason_does_not_fit_are_counted() {
    let [_, _, (error, _), _] = frames();
    let mut sending = Sending::new();
    for length in [3, 1_024, i32::MAX, -1, i32::MIN] {
        sending.refuses(&changed(&error, 36, &length.to_le_bytes()));
    }
    assert_eq!(sending.counters.get(SystemCounter::ErrorFramesReceived), 0);
}

/// Of another session, another stream, or at an endpoint that has no such publication: somebody else's, and no fault.
#[test]
fn frames_of_a_foreign_session_are_dropped() {
    for (frame, _) in frames() {
        let mut sending = Sending::new();
        sending.drops(SENDING, &changed(&frame, 8, &99_i32.to_le_bytes()));
        sending.drops(SENDING, &changed(&frame, 12, &99_i32.to_le_bytes()));
        sending.drops(RECEIVING, &frame);
    }
}

/// A response to a stream that asked for none.
#[test]
fn a_response_that_nobody_asked_for_is_dropped() {
    let [.., (setup, _)] = frames();
    Sending::of(false).drops(SENDING, &setup);
}
