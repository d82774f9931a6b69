//! Who holds a publication, and who does not: one of two receivers stops reading, and far more than its window is sent.

use crate::hosts::{Host, STREAM, Way, deliver, free_port, message, wait_for};
use gannet::counters::{SystemCounter, type_id};
use gannet::types::RegistrationId;
use gannet::{ExclusivePublication, OfferError, Subscription};
use gannet_peers::driver::DriverKind;

const BOTH: [DriverKind; 2] = [DriverKind::Aeron, DriverKind::Gannet];
const TERM_LENGTH: i64 = 65_536;
/// The window of a receiver: half a term.
const WINDOW: i64 = TERM_LENGTH / 2;
/// A divisor of the window with its header, so that a held sender is exactly at its limit.
const MESSAGE: usize = 1_024 - 32;
const UNTAGGED: &str = "";
const TAGGED: &str = "|gtag=7";

/// A strategy, the tags of the reader and of the receiver that stops reading, and how many receivers the strategy
/// counts.
struct Case {
    strategy: &'static str,
    tags: [&'static str; 2],
    counted: i64,
}

const HOLDING: [Case; 2] = [
    Case { strategy: "min", tags: [UNTAGGED, UNTAGGED], counted: 2 },
    Case { strategy: "tagged,g:7", tags: [TAGGED, TAGGED], counted: 2 },
];
const FREE: [Case; 2] = [
    Case { strategy: "max", tags: [UNTAGGED, UNTAGGED], counted: 0 },
    Case { strategy: "tagged,g:7", tags: [TAGGED, UNTAGGED], counted: 1 },
];

/// A sender with a driver of one kind, and receivers with drivers of both.
struct Stage {
    from: Host,
    receivers: [Host; 2],
}

/// One stream of a stage. The receiver that stops reading is at `idle_place`, unless it is in a group.
struct Stream {
    publication: ExclusivePublication,
    reader: Subscription,
    idle: Subscription,
    idle_place: Option<String>,
    sent: usize,
    read: usize,
}

impl Stage {
    fn start(sending: DriverKind) -> Self {
        // Receivers often repeat what they have to say, so that nobody has to wait long for it.
        let often = [("aeron.rcv.status.message.timeout", "10ms")];
        Self { from: Host::start(sending), receivers: BOTH.map(|kind| Host::with(kind, &often)) }
    }

    /// A stream whose receiver at the driver `idle` never reads. Returns once the sender knows both receivers.
    fn stream(&self, case: &Case, way: Way, idle: usize) -> Stream {
        let Case { strategy, tags, counted } = case;
        let [from, reading, idle] = [&self.from, &self.receivers[1 - idle], &self.receivers[idle]];
        let (sent, received) = way.channels();
        let idle_place = match way {
            Way::Multicast => None,
            Way::Registered => received[1].split_once("endpoint=").map(|(_, place)| place.to_owned()),
        };
        let subscribe =
            |host: &Host, channel: &str, tag| host.client.add_subscription(&format!("{channel}{tag}"), STREAM).unwrap();
        let reader = subscribe(reading, &received[0], tags[0]);
        let idle = subscribe(idle, &received[1], tags[1]);
        let channel = format!("{sent}|fc={strategy}|term-length=64k");
        let publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        wait_for("receivers", || publication.is_connected() && reader.is_connected() && idle.is_connected());
        let stream = Stream { publication, reader, idle, idle_place, sent: 0, read: 0 };
        if *counted > 0 {
            let counted = Some(*counted);
            wait_for("all in the group", || self.of_sender(&stream, type_id::FLOW_CONTROL_RECEIVERS) == counted);
        }
        self.hear_both();
        stream
    }

    /// The value of a counter of the stream's sender.
    fn of_sender(&self, stream: &Stream, type_id: i32) -> Option<i64> {
        self.of_registration(type_id, stream.publication.registration_id())
    }

    fn of_registration(&self, type_id: i32, registration_id: RegistrationId) -> Option<i64> {
        let counters = self.from.client.counters();
        counters.find(type_id, registration_id).and_then(|id| counters.value(id))
    }

    /// Waits until the sender's driver has heard each receiver again: what they told before has been acted on.
    fn hear_both(&self) {
        // Each of them repeats itself equally often, once for each of its images.
        let counters = self.from.client.counters();
        let heard = || counters.value(SystemCounter::StatusMessagesReceived.id()).expect("a counter of every driver");
        let before = heard();
        wait_for("status messages", || heard() >= before + 16);
    }

    /// Asserts that the stream stops at the window of the receiver that does not read, and goes on once it does.
    fn holds(&self, mut stream: Stream, case: &str) {
        wait_for("standstill", || {
            stream.step();
            stream.publication.position().unwrap().get() >= WINDOW + WINDOW
                && self.of_sender(&stream, type_id::SENDER_POSITION) == Some(WINDOW)
                && (stream.read as i64) * (MESSAGE as i64 + 32) == WINDOW
        });
        // Nothing that the reader has to say moves it.
        self.hear_both();
        stream.step();
        assert_eq!(self.of_sender(&stream, type_id::SENDER_LIMIT), Some(WINDOW), "{case}");
        assert_eq!(self.of_sender(&stream, type_id::SENDER_POSITION), Some(WINDOW), "{case}");
        assert_eq!(stream.publication.offer(&[0; MESSAGE]), Err(OfferError::BackPressured), "{case}");
        let counters = self.from.client.counters();
        let held_by = counters.find(type_id::SENDER_HELD_BY, stream.publication.registration_id());
        if let (Some(id), Some(place)) = (held_by, &stream.idle_place) {
            wait_for("whom it waits for", || {
                counters.get(id).is_some_and(|counter| counter.label.to_string().contains(place.as_str()))
            });
        }
        // It is the idle receiver that held it: with that one reading, all goes on.
        let Stream { sent, .. } = stream;
        wait_for("the rest", || {
            stream.step();
            stream.idle.poll(|_| {}, 64);
            stream.sent >= sent + 100 && stream.read >= sent + 100
        });
    }

    /// Asserts that the stream leaves the receiver behind that does not read.
    fn goes_on(&self, mut stream: Stream, case: &str) {
        wait_for("more than a term's lead", || {
            stream.step();
            self.of_sender(&stream, type_id::SENDER_POSITION).is_some_and(|position| position > 3 * TERM_LENGTH)
        });
        assert_eq!(stream.idle.images()[0].position().get(), 0, "{case}");
    }
}

impl Stream {
    /// Sends as much as is taken, and reads as much as the reader has, in order.
    fn step(&mut self) {
        while self.publication.offer(&message(self.sent, MESSAGE)).is_ok() {
            self.sent += 1;
        }
        let read = &mut self.read;
        self.reader.poll(
            |fragment| {
                assert!(fragment.payload() == message(*read, MESSAGE), "message {read} differs");
                *read += 1;
            },
            64,
        );
    }
}

fn each_case(cases: &[Case], check: impl Fn(&Stage, Stream, &str)) {
    for sending in BOTH {
        let stage = Stage::start(sending);
        for case in cases {
            for way in Way::ALL {
                for (index, idle) in BOTH.into_iter().enumerate() {
                    let stream = stage.stream(case, way, index);
                    check(&stage, stream, &format!("{sending:?}, {}, {way:?}, {idle:?} is idle", case.strategy));
                }
            }
        }
    }
}

#[test]
fn min_and_tagged_wait_for_a_receiver_that_does_not_read() {
    each_case(&HOLDING, Stage::holds);
}

#[test]
fn max_and_tagged_leave_a_receiver_behind_that_does_not_count() {
    each_case(&FREE, Stage::goes_on);
}

/// The receivers of a group are awaited before anything is sent, however many there are.
#[test]
fn a_group_smaller_than_it_has_to_be_is_not_connected() {
    for sending in BOTH {
        let stage = Stage::start(sending);
        for (strategy, tag) in [("min,g:/2", UNTAGGED), ("tagged,g:7/2", TAGGED)] {
            let group = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
            let [first, second] = &stage.receivers;
            let received = format!("{group}{tag}");
            let first = first.client.add_subscription(&received, STREAM).unwrap();
            let channel = format!("{group}|fc={strategy}|term-length=64k");
            let mut publication = stage.from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            let registration_id = publication.registration_id();
            let in_group =
                |count| stage.of_registration(type_id::FLOW_CONTROL_RECEIVERS, registration_id) == Some(count);
            wait_for("the first receiver", || first.is_connected() && in_group(1));
            stage.hear_both();
            assert!(!publication.is_connected(), "{sending:?}, {strategy}");
            let mut subscriptions = [first, second.client.add_subscription(&received, STREAM).unwrap()];
            deliver(&mut publication, &mut subscriptions, &[500; 300]);
            assert!(in_group(2), "{sending:?}, {strategy}");
        }
    }
}
