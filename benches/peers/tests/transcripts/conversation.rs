//! A low-level conversation with a driver: commands are written into its ring by hand, and all its answers and its
//! state are recorded as text. Two drivers that get the same commands must give the same text. Both draw ids in the
//! same way, and values that are random or local (session ids, paths, error texts) are replaced.
//!
//! A driver's timer ticks independently. A conversation waits for ticks where they have an effect. On a busy machine a
//! further tick may fall between two commands and shift the driver's output. The conversation detects this; a
//! difference between transcripts then proves nothing, and the conversation is repeated with both drivers.

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gannet::broadcast::Receiver;
use gannet::cnc::CncFile;
use gannet::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, Command, Destination, Event,
    GetNextAvailableSessionId, RejectImage, RemoveCounter, RemovePublication, RemoveSubscription, Text,
};
use gannet::counters::CountersReader;
use gannet::logbuffer::{ConcurrentAppender, ImageReader, LogBuffers, OfferError};
use gannet::memory::FileAccess;
use gannet::ringbuffer::ManyToOneRingBuffer;
use gannet::time::EpochMillis;
use gannet::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId};
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::reference_files::Snapshot;

use crate::raw_access::RAW;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The interval of a driver's timer at first.
const TICK: Duration = Duration::from_millis(100);
/// The longest one. Clients that are to die must not do so before their time has come.
const LONGEST_TICK: Duration = Duration::from_millis(800);
/// The greatest number of attempts for a conversation that is disturbed by ticks.
const ATTEMPTS: usize = 20;

/// The number of system counters. All other counters are recorded.
const SYSTEM_COUNTERS: i32 = 46;

/// The stream id of the conversations.
pub(crate) const STREAM: StreamId = StreamId::new(1001);

/// A client id for the sentinel commands. That client never registers.
const NOBODY: ClientId = ClientId::new(i64::MAX);

/// What a conversation unwinds with when it cannot go on: it stood still for so long that the driver took a client for
/// dead, and this is missing now.
struct Abandoned(&'static str);

/// What is there unless the driver has given its client up.
fn still<T>(found: Option<T>, what: &'static str) -> T {
    found.unwrap_or_else(|| panic::resume_unwind(Box::new(Abandoned(what))))
}

/// A conversation with one driver, and its transcript so far.
pub(crate) struct Conversation {
    transcript: Vec<String>,
    sessions: HashMap<SessionId, usize>,
    /// Publications whose answers are outstanding. A driver may announce their images before it has created their logs.
    awaited: Vec<CorrelationId>,
    /// The number of sentinel commands sent.
    asked: i64,
    /// The driver's heartbeat when it was last read.
    beat: EpochMillis,
    /// The interval of the driver's timer.
    tick: Duration,
    /// Whether the timer ticked at an unexpected moment.
    is_disturbed: bool,
    images: Vec<Image>,
    publications: Vec<Publication>,
    ring: ManyToOneRingBuffer,
    events: Receiver,
    counters: CountersReader,
    dir: AeronDir,
    // The last field, so that it outlives everything that reads its files.
    _driver: DriverProcess,
}

#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) correlation: CorrelationId,
    pub(crate) original: RegistrationId,
    limit: CounterId,
    path: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    position: CounterId,
    path: String,
}

impl Conversation {
    fn begin(kind: DriverKind, options: DriverOptions, tick: Duration) -> Self {
        let dir = AeronDir::unique("transcripts");
        let options = options.with("aeron.timer.interval", format!("{}ms", tick.as_millis()));
        let driver = DriverProcess::start(kind, dir.path(), &options).expect("the driver starts");
        let cnc = CncFile::open(dir.path(), FileAccess::ReadWrite).expect("a ready CnC file");
        let ring = cnc.commands();
        Self {
            transcript: Vec::new(),
            sessions: HashMap::new(),
            awaited: Vec::new(),
            asked: 0,
            beat: ring.consumer_heartbeat(),
            tick,
            is_disturbed: false,
            images: Vec::new(),
            publications: Vec::new(),
            ring,
            events: cnc.events(),
            counters: cnc.counters(),
            dir,
            _driver: driver,
        }
    }

    /// Adds lines to the transcript, and checks whether the timer has ticked.
    fn write(&mut self, lines: impl IntoIterator<Item = String>) {
        self.transcript.extend(lines);
        self.is_disturbed |= self.has_ticked();
    }

    /// Whether the timer has ticked since the last call.
    fn has_ticked(&mut self) -> bool {
        let last = std::mem::replace(&mut self.beat, self.ring.consumer_heartbeat());
        self.beat != last
    }

    /// Whether several ticks, or a late one, came since a heartbeat.
    fn has_missed_ticks(&self, since: EpochMillis) -> bool {
        self.beat.since(since) > self.tick.as_millis() as i64 * 3 / 2
    }

    /// Adds a remark to the transcript, which helps to locate a difference.
    pub(crate) fn note(&mut self, remark: &str) {
        self.transcript.push(format!("-- {remark}"));
    }

    pub(crate) fn correlation(&self) -> CorrelationId {
        self.ring.next_correlation_id()
    }

    pub(crate) fn client(&self) -> ClientId {
        ClientId::new(self.correlation().get())
    }

    /// Sends a command, and records everything that results before the next command is processed.
    pub(crate) fn send(&mut self, command: &Command<'_>) {
        self.transcript.push(format!("> {} {}", command.name(), command.correlation_id()));
        self.put(command);
        let said = self.settle();
        self.write(said);
    }

    fn put(&mut self, command: &Command<'_>) {
        let mut bytes = vec![0; command.encoded_length()];
        command.encode(&mut bytes).expect("a command that fits");
        self.ring.write(command.type_id(), &bytes).expect("room in the ring");
        if let Command::AddPublication(add) | Command::AddExclusivePublication(add) = command {
            self.awaited.push(add.correlation_id);
        }
    }

    /// Sends bytes that are not a valid command. The driver's answer is not compared, only that it continues.
    pub(crate) fn send_broken(&mut self, type_id: i32, bytes: &[u8]) {
        self.ring.write(type_id, bytes).expect("room in the ring");
        self.collect_until_answered(|_| {});
    }

    /// Waits until everything sent before is processed, and returns the resulting events.
    fn settle(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        self.collect_until_answered(|line| said.push(format!("< {line}")));
        said
    }

    /// Everything sent before is processed once one more command is answered. Work that the driver does once per duty
    /// cycle, such as moving limits, is done after the answer to another command from another cycle.
    fn collect_until_answered(&mut self, mut each: impl FnMut(String)) {
        self.ask(&mut each);
        let deadline = Instant::now() + PATIENCE;
        while self.ring.consumer_position() < self.ring.producer_position() {
            assert!(Instant::now() < deadline, "the driver does not go on");
            thread::sleep(Duration::from_micros(100));
        }
        self.ask(&mut each);
    }

    /// Sends a command and waits for its answer, and for outstanding answers of publications. Other events are passed
    /// to `each`.
    fn ask(&mut self, each: &mut impl FnMut(String)) {
        // Not drawn from the ring, so that the number of sentinel commands does not affect the ids drawn next.
        self.asked += 1;
        let correlation_id = CorrelationId::new(i64::MIN + self.asked);
        self.put(&Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
            client_id: NOBODY,
            correlation_id,
            stream_id: StreamId::new(i32::MIN),
        }));
        let deadline = Instant::now() + PATIENCE;
        let mut answered = false;
        while !(answered && self.awaited.is_empty()) {
            let (mut shown, sessions) = (None, &mut self.sessions);
            let (publications, images, awaited) = (&mut self.publications, &mut self.images, &mut self.awaited);
            let received = self.events.receive(|type_id, bytes| {
                let event = Event::decode(type_id, bytes).expect("a sound event");
                match &event {
                    Event::NextAvailableSessionId(e) if e.correlation_id == correlation_id => return answered = true,
                    Event::PublicationReady(e) | Event::ExclusivePublicationReady(e) => {
                        awaited.retain(|awaited| *awaited != e.correlation_id);
                    }
                    Event::Error(e) => awaited.retain(|awaited| *awaited != e.offending_correlation_id),
                    _ => {}
                }
                remember(&event, publications, images);
                shown = Some(show(&event, sessions));
            });
            if let Some(line) = shown {
                each(line);
            }
            if received.expect("the transcript keeps up") == 0 {
                assert!(Instant::now() < deadline, "the driver does not answer");
                thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// Waits for `count` timer ticks, and records the events from them.
    pub(crate) fn ticks(&mut self, count: usize) {
        self.transcript.push(format!("-- {count} ticks"));
        // A tick begins with storing the heartbeat, so when the heartbeat changes again, the previous tick is complete.
        for _ in 0..=count {
            let last = self.beat;
            let deadline = Instant::now() + PATIENCE;
            while !self.has_ticked() {
                assert!(Instant::now() < deadline, "no heartbeat");
                thread::sleep(Duration::from_millis(1));
            }
            self.is_disturbed |= self.has_missed_ticks(last);
        }
        let said = self.settle();
        self.write(said);
    }

    /// Waits for ticks until the transcript has `count` events whose lines begin with `start`. Their time is left out of
    /// it. The clients in `alive` are kept alive. All events count, since some may come before this is called if this
    /// process stood still.
    pub(crate) fn until(&mut self, count: usize, start: &str, alive: &[ClientId]) {
        let deadline = Instant::now() + PATIENCE;
        let awaited = format!("< {start}");
        let earlier = self.transcript.iter().filter(|line| line.starts_with(&awaited)).count();
        let mut said = Vec::new();
        while earlier + said.iter().filter(|line: &&String| line.starts_with(&awaited)).count() < count {
            assert!(Instant::now() < deadline, "{start}: not said {count} times, but {said:?}");
            alive.iter().for_each(|&client| self.beat(client));
            self.has_ticked();
            let before = self.beat;
            self.collect_until_answered(|line| said.push(format!("< {line}")));
            self.has_ticked();
            // The awaited event may then be more than one tick old, and what the others say be among it.
            self.is_disturbed |= self.has_missed_ticks(before);
        }
        self.write([format!("-- until {start}")]);
        self.write(said);
    }

    /// Waits, with one client kept alive, until a system counter has this value.
    pub(crate) fn until_system_counter(&mut self, client: ClientId, id: i32, value: i64) {
        let deadline = Instant::now() + PATIENCE;
        while self.counters.value(CounterId::new(id)) != Some(value) {
            assert!(Instant::now() < deadline, "system counter {id} is not {value}");
            self.beat(client);
            thread::sleep(Duration::from_millis(5));
        }
        self.has_ticked();
        self.write([format!("-- until system counter {id} is {value}")]);
    }

    /// Records the headers of frames in the first term of a log.
    pub(crate) fn write_frames(&mut self, publication: &Publication, offset: usize, count: usize) {
        let snapshot = still(Snapshot::of(Path::new(&publication.path)).ok(), "a log file");
        let mut offset = offset;
        for _ in 0..count {
            let length = snapshot.i32(offset);
            self.transcript.push(format!("# frame at {offset}: {:02x?}", snapshot.slice(offset, 32)));
            if length <= 0 {
                return;
            }
            offset += (length as usize).next_multiple_of(32);
        }
    }

    /// Records all counters except the system counters.
    pub(crate) fn write_counters(&mut self) {
        let sessions = &self.sessions;
        let mut lines = Vec::new();
        self.counters.for_each(|counter| {
            if counter.id.get() < SYSTEM_COUNTERS {
                return;
            }
            // The value of a heartbeat is a time.
            let value = if counter.type_id == 11 { 0 } else { counter.value };
            let mut label = counter.label.to_string();
            let mut key = counter.key.as_bytes().to_vec();
            for (session, number) in sessions {
                label = label.replace(&format!(" {session} "), &format!(" s{number} "));
                let session = session.get().to_le_bytes();
                if key[8..12] == session {
                    key[8..12].copy_from_slice(&[0xEE; 4]);
                }
            }
            // The rest of a key is zeros.
            let used = key.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            key.truncate(used);
            lines.push(format!(
                "# {} type {} {label} = {value}, registration {}, owner {}, reference {}, key {:02x?}",
                counter.id, counter.type_id, counter.registration_id, counter.owner_id, counter.reference_id, key
            ));
        });
        self.write(lines);
    }

    /// Records the metadata of a publication's log. Its initial term id and session id must be set by the channel.
    pub(crate) fn write_log_metadata(&mut self, publication: &Publication) {
        let snapshot = still(Snapshot::of(Path::new(&publication.path)).ok(), "a log file");
        let start = snapshot.log_metadata_offset();
        self.transcript.push(format!("# log of {} bytes", snapshot.bytes().len()));
        for offset in (0..512).step_by(8) {
            let word = snapshot.i64(start + offset);
            if word != 0 {
                self.transcript.push(format!("#   {offset}: {word:#x}"));
            }
        }
        assert!(snapshot.is_zero(start + 512, 4096 - 512));
    }

    /// Records a system counter.
    pub(crate) fn write_system_counter(&mut self, id: i32) {
        let value = self.counters.value(CounterId::new(id)).expect("a system counter");
        self.write([format!("# system counter {id} = {value}")]);
    }

    /// Records which log files exist.
    pub(crate) fn write_files(&mut self) {
        let entries = std::fs::read_dir(self.dir.path().join("publications")).expect("a directory");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        self.write([format!("# files {names:?}")]);
    }

    /// The publication that was announced last.
    pub(crate) fn publication(&self) -> Publication {
        self.publications.last().expect("a publication").clone()
    }

    /// An image by its number, in the order in which they were announced.
    pub(crate) fn image(&self, number: usize) -> Image {
        still(self.images.get(number).cloned(), "an image")
    }

    /// Records the limit and position of a publication.
    pub(crate) fn write_limit(&mut self, publication: &Publication) {
        let limit = still(self.counters.value(publication.limit), "a limit");
        self.write([format!("# limit {limit}")]);
    }

    pub(crate) fn appender(&self, publication: &Publication) -> ConcurrentAppender {
        let log = LogBuffers::open(Path::new(&publication.path), FileAccess::ReadWrite, RAW);
        let limit = still(self.counters.own_value(publication.limit, RAW), "a limit");
        ConcurrentAppender::new(&still(log.ok(), "a log"), limit).expect("an appender")
    }

    /// Publishes messages of `length` bytes. Records the position of the last, and why no more were accepted.
    pub(crate) fn offer(&mut self, publication: &Publication, length: usize, count: usize) {
        let appender = self.appender(publication);
        let mut last = Ok(Position::new(0));
        for _ in 0..count {
            last = loop {
                match appender.offer(&vec![7; length]) {
                    Err(OfferError::AdminAction) => {}
                    other => break other,
                }
            };
            if last.is_err() {
                break;
            }
        }
        self.write([format!("# offered up to {}: {last:?}", appender.position())]);
    }

    /// Reads at most `limit` fragments and records the position.
    pub(crate) fn poll(&mut self, image: &Image, limit: usize) {
        let log = still(LogBuffers::open(Path::new(&image.path), FileAccess::ReadWrite, RAW).ok(), "a log");
        let position = still(self.counters.own_value(image.position, RAW), "a position");
        let mut reader = ImageReader::new(log, position);
        let read = reader.poll(|_| {}, limit);
        self.write([format!("# read {read} up to {}", reader.position())]);
    }

    /// Stores the client's heartbeat, as clients do.
    pub(crate) fn beat(&mut self, client: ClientId) {
        let heartbeat = self.counters.find(11, RegistrationId::new(client.get()));
        let heartbeat = still(heartbeat.and_then(|id| self.counters.own_value(id, RAW)), "a heartbeat");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        heartbeat.store_release(now.as_millis() as i64);
    }

    // The commands.

    pub(crate) fn add_publication(&mut self, client_id: ClientId, channel: &str, exclusive: bool) {
        let correlation_id = self.correlation();
        let body = AddPublication { client_id, correlation_id, stream_id: STREAM, channel: Text::from(channel) };
        self.note(channel);
        self.send(&if exclusive { Command::AddExclusivePublication(body) } else { Command::AddPublication(body) });
    }

    pub(crate) fn remove_publication(&mut self, client_id: ClientId, registration_id: RegistrationId, revoke: bool) {
        let correlation_id = self.correlation();
        self.send(&Command::RemovePublication(RemovePublication {
            client_id,
            correlation_id,
            registration_id,
            revoke,
        }));
    }

    pub(crate) fn add_subscription(&mut self, client_id: ClientId, channel: &str) -> RegistrationId {
        let correlation_id = self.correlation();
        let channel = Text::from(channel);
        self.note(&channel.to_string());
        self.send(&Command::AddSubscription(AddSubscription { client_id, correlation_id, stream_id: STREAM, channel }));
        correlation_id.registration()
    }

    pub(crate) fn remove_subscription(&mut self, client_id: ClientId, registration_id: RegistrationId) {
        let correlation_id = self.correlation();
        self.send(&Command::RemoveSubscription(RemoveSubscription { client_id, correlation_id, registration_id }));
    }

    pub(crate) fn add_counter(&mut self, client_id: ClientId, key: &[u8], label: &str) -> RegistrationId {
        let correlation_id = self.correlation();
        let label = Text::from(label);
        self.send(&Command::AddCounter(AddCounter { client_id, correlation_id, type_id: 1101, key, label }));
        correlation_id.registration()
    }

    pub(crate) fn add_static_counter(&mut self, client_id: ClientId, registration_id: RegistrationId) {
        let correlation_id = self.correlation();
        self.send(&Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id,
            type_id: 1102,
            key: b"static key",
            label: Text::from("static label"),
        }));
    }

    pub(crate) fn remove_counter(&mut self, client_id: ClientId, registration_id: RegistrationId) {
        let correlation_id = self.correlation();
        self.send(&Command::RemoveCounter(RemoveCounter { client_id, correlation_id, registration_id }));
    }

    /// As the C client sends it: without ids.
    pub(crate) fn reject(&mut self, image: RegistrationId, reason: &str) {
        self.send(&Command::RejectImage(RejectImage {
            client_id: ClientId::new(0),
            correlation_id: CorrelationId::new(0),
            image_correlation_id: CorrelationId::new(image.get()),
            position: Position::new(0),
            reason: Text::from(reason),
        }));
    }

    pub(crate) fn add_destination(&mut self, client_id: ClientId, registration_id: RegistrationId, receive: bool) {
        let correlation_id = self.correlation();
        let channel = Text::from("aeron:udp?endpoint=localhost:40123");
        let body = Destination { client_id, correlation_id, registration_id, channel };
        self.send(&if receive { Command::AddReceiveDestination(body) } else { Command::AddDestination(body) });
    }

    pub(crate) fn close_client(&mut self, client_id: ClientId) {
        self.send(&Command::ClientClose(ClientClose { client_id, correlation_id: CorrelationId::new(-1) }));
    }
}

fn remember(event: &Event<'_>, publications: &mut Vec<Publication>, images: &mut Vec<Image>) {
    match event {
        Event::PublicationReady(ready) | Event::ExclusivePublicationReady(ready) => publications.push(Publication {
            correlation: ready.correlation_id,
            original: ready.registration_id,
            limit: ready.limit_id,
            path: ready.log_file.to_string(),
        }),
        Event::AvailableImage(image) => {
            images.push(Image { position: image.subscriber_position_id, path: image.log_file.to_string() })
        }
        _ => {}
    }
}

fn show(event: &Event<'_>, sessions: &mut HashMap<SessionId, usize>) -> String {
    let mut session = |id: SessionId| {
        let next = sessions.len();
        format!("s{}", sessions.entry(id).or_insert(next))
    };
    let file = |path: Text<'_>| path.to_string().rsplit('/').next().unwrap_or_default().to_owned();
    let name = event.name();
    match event {
        // The text is each driver's own.
        Event::Error(e) => format!("{name} {} for {}", e.error_code.get(), e.offending_correlation_id),
        Event::AvailableImage(e) => format!(
            "{name} {} {} {} for {} #{} {} {}",
            e.image_correlation_id,
            session(e.session_id),
            e.stream_id,
            e.subscription_registration_id,
            e.subscriber_position_id,
            file(e.log_file),
            e.source_identity
        ),
        Event::UnavailableImage(e) => format!(
            "{name} {} for {} {} {}",
            e.image_correlation_id, e.subscription_registration_id, e.stream_id, e.channel
        ),
        Event::PublicationReady(e) | Event::ExclusivePublicationReady(e) => format!(
            "{name} {} of {} {} {} limit #{} status {} {}",
            e.correlation_id,
            e.registration_id,
            session(e.session_id),
            e.stream_id,
            e.limit_id,
            e.channel_status_id,
            file(e.log_file)
        ),
        Event::OperationSuccess(e) => format!("{name} {}", e.correlation_id),
        Event::SubscriptionReady(e) => format!("{name} {} status {}", e.correlation_id, e.channel_status_id),
        Event::CounterReady(e) | Event::UnavailableCounter(e) => {
            format!("{name} {} #{}", e.registration_id, e.counter_id)
        }
        Event::ClientTimeout(e) => format!("{name} {}", e.client_id),
        Event::StaticCounter(e) => format!("{name} {} #{}", e.correlation_id, e.counter_id),
        Event::PublicationError(e) => format!(
            "{name} {} {} {} {} receiver {} group {} code {}: {}",
            e.registration_id,
            e.destination_registration_id,
            session(e.session_id),
            e.stream_id,
            e.receiver_id,
            e.group_tag,
            e.error_code.get(),
            e.message
        ),
        Event::NextAvailableSessionId(e) => format!("{name} {}", e.correlation_id),
    }
}

/// Runs the same conversation with both drivers and compares the transcripts.
#[track_caller]
pub(crate) fn compare(options: &DriverOptions, conversation: impl Fn(&mut Conversation)) {
    // An abandoned one ends with a line of its own, so that it is like no other.
    let transcript = |kind, tick| {
        let mut with = Conversation::begin(kind, options.clone(), tick);
        if let Err(reason) = panic::catch_unwind(AssertUnwindSafe(|| conversation(&mut with))) {
            let Abandoned(what) = *reason.downcast().unwrap_or_else(|failure| panic::resume_unwind(failure));
            with.note(&format!("abandoned with {kind:?}'s driver, without {what}"));
            with.is_disturbed = true;
        }
        (with.transcript, with.is_disturbed)
    };
    let (mut aeron, mut gannet) = (Vec::new(), Vec::new());
    let mut tick = TICK;
    for _ in 0..ATTEMPTS {
        let (disturbed_aeron, disturbed_gannet);
        (aeron, disturbed_aeron) = transcript(DriverKind::Aeron, tick);
        (gannet, disturbed_gannet) = transcript(DriverKind::Gannet, tick);
        if aeron == gannet {
            return;
        }
        if !disturbed_aeron && !disturbed_gannet {
            break;
        }
        // The rarer the ticks, the less often one comes at the wrong moment.
        tick = (tick * 2).min(LONGEST_TICK);
    }
    for (index, (expected, found)) in aeron.iter().zip(&gannet).enumerate() {
        assert_eq!(found, expected, "line {index}, after:\n{}", aeron[..index].join("\n"));
    }
    assert_eq!(gannet.len(), aeron.len(), "one says more:\n{}", gannet.join("\n"));
}
