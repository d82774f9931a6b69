//! Tests that a journal's files are those of an archive. They use an implementation of an archive's writer, made only
//! from the description of the files. The files of a journal are compared with its files byte for byte, and its files
//! are read, searched, replayed, continued and recovered.

use std::collections::BTreeMap;
use std::sync::Arc;

use gannet::journal::storage::{MemoryStorage, Storage};
use gannet::journal::{Catalog, Journal, JournalError, JournalOptions, LeftBy, Recording, RollCycle, Stamps, Start};
use gannet::memory::{FileAccess, Reserve};
use gannet::time::EpochNanos;
use gannet::types::{Position, RecordingId, SessionId, StreamId, TermId};

use crate::raw_access::RAW;
use crate::skip;
use crate::support::{all, eventually, message};

pub(crate) const TERM: i64 = 64 << 10;
pub(crate) const SEGMENT: i64 = 128 << 10;
const MTU: usize = 1408;
const DATA: u16 = 1;
const PADDING: u16 = 0;
const UNFRAGMENTED: u8 = 0xC0;

/// An archive's description of a recording in its catalog, except for what follows from the segments.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) state: i32,
    pub(crate) checksum: i32,
    pub(crate) control_session_id: i64,
    pub(crate) correlation_id: i64,
    pub(crate) recording_id: i64,
    pub(crate) timestamps: [i64; 2],
    pub(crate) start_position: i64,
    pub(crate) stop_position: i64,
    pub(crate) initial_term_id: i32,
    /// The lengths of a segment, of a term, and of the longest frame.
    pub(crate) lengths: [i32; 3],
    pub(crate) session_id: i32,
    pub(crate) stream_id: i32,
    pub(crate) texts: [String; 3],
}

impl Descriptor {
    pub(crate) fn new(recording_id: i64, start_position: i64) -> Self {
        Self {
            state: 1,
            checksum: 0,
            control_session_id: 0,
            correlation_id: 0,
            recording_id,
            timestamps: [1_700_000_000_000, -1],
            start_position,
            stop_position: -1,
            initial_term_id: -2,
            lengths: [SEGMENT as i32, TERM as i32, MTU as i32],
            session_id: -8,
            stream_id: 1001,
            texts: ["aeron:ipc", "aeron:ipc?term-length=64k", "aeron:ipc"].map(str::to_owned),
        }
    }

    /// The entry: a header of 32 bytes, a block of 80 bytes, three texts, and zeros.
    fn entry(&self) -> Vec<u8> {
        let length = (32 + self.body().len()).next_multiple_of(64);
        let mut bytes = entry_header([length as i32 - 32, self.state, self.checksum], 0);
        bytes.extend(self.body());
        bytes.resize(length, 0);
        bytes
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let [started, stopped] = self.timestamps;
        for long in [self.control_session_id, self.correlation_id, self.recording_id, started, stopped] {
            bytes.extend(long.to_le_bytes());
        }
        bytes.extend(self.start_position.to_le_bytes());
        bytes.extend(self.stop_position.to_le_bytes());
        let [segment, term, mtu] = self.lengths;
        for int in [self.initial_term_id, segment, term, mtu, self.session_id, self.stream_id] {
            bytes.extend(int.to_le_bytes());
        }
        for text in &self.texts {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }
}

/// The header of an entry: its length, state and checksum, and a reserved byte.
fn entry_header(ints: [i32; 3], reserved: i8) -> Vec<u8> {
    let mut bytes: Vec<u8> = ints.into_iter().flat_map(i32::to_le_bytes).collect();
    bytes.resize(31, 0);
    bytes.push(reserved as u8);
    bytes
}

/// The header of a catalog.
fn catalog_header(version: i32, length: i32, next_id: i64, alignment: i32, reserved: i8) -> Vec<u8> {
    let mut bytes: Vec<u8> = [version, length].into_iter().flat_map(i32::to_le_bytes).collect();
    bytes.extend(next_id.to_le_bytes());
    bytes.extend(alignment.to_le_bytes());
    bytes.resize(31, 0);
    bytes.push(reserved as u8);
    bytes
}

/// A catalog with these entries, in a file of `length` bytes.
pub(crate) fn catalog(entries: &[&Descriptor], next_id: i64, length: usize) -> Vec<u8> {
    // Version 3.1.0.
    let mut bytes = catalog_header(196_864, 32, next_id, 64, 0);
    entries.iter().for_each(|entry| bytes.extend(entry.entry()));
    bytes.resize(length, 0);
    bytes
}

/// The segments of a recording as an archive writes them. Each has its full length from the start, and the next is
/// created as soon as one is full.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    descriptor: Descriptor,
    /// The position of the next frame.
    pub(crate) position: i64,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Whether session ids are replaced by checksums, as an archive does if configured to.
    checksums: bool,
    /// The messages written, with their positions.
    pub(crate) messages: Vec<(Position, Vec<u8>)>,
}

impl Segments {
    pub(crate) fn new(descriptor: &Descriptor, checksums: bool) -> Self {
        let position = descriptor.start_position;
        let descriptor = descriptor.clone();
        let mut new = Self { descriptor, position, files: BTreeMap::new(), checksums, messages: Vec::new() };
        new.roll();
        new
    }

    fn base(&self) -> i64 {
        let start = self.descriptor.start_position;
        let first = start - start % TERM;
        first + (self.position - first) / SEGMENT * SEGMENT
    }

    fn name(&self) -> String {
        format!("{}-{}.rec", self.descriptor.recording_id, self.base())
    }

    fn roll(&mut self) {
        self.files.insert(self.name(), vec![0; SEGMENT as usize]);
    }

    /// Writes a frame. For padding only the header is written.
    fn frame(&mut self, kind: u16, flags: u8, length: usize, payload: &[u8], reserved: i64) {
        let (name, at) = (self.name(), (self.position - self.base()) as usize);
        let mut bytes = vec![0; 32 + payload.len().next_multiple_of(32)];
        bytes[..4].copy_from_slice(&(length as i32).to_le_bytes());
        bytes[5] = flags;
        bytes[6..8].copy_from_slice(&kind.to_le_bytes());
        bytes[8..12].copy_from_slice(&((self.position % TERM) as i32).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.descriptor.stream_id.to_le_bytes());
        let term_id = self.descriptor.initial_term_id + (self.position / TERM) as i32;
        bytes[20..24].copy_from_slice(&term_id.to_le_bytes());
        bytes[24..32].copy_from_slice(&reserved.to_le_bytes());
        bytes[32..32 + payload.len()].copy_from_slice(payload);
        let session_id = match kind {
            DATA if self.checksums => crc32c(&bytes[32..]) as i32,
            _ => self.descriptor.session_id,
        };
        bytes[12..16].copy_from_slice(&session_id.to_le_bytes());
        let file = self.files.get_mut(&name).unwrap();
        file[at..at + bytes.len()].copy_from_slice(&bytes);
        self.position += length.next_multiple_of(32) as i64;
        if (self.position - self.base()) % SEGMENT == 0 {
            self.roll();
        }
    }

    /// Writes a message, in as many frames as needed, all in one term.
    pub(crate) fn message(&mut self, payload: &[u8], reserved: i64) {
        let most = MTU - 32;
        let parts: Vec<&[u8]> = if payload.is_empty() { vec![payload] } else { payload.chunks(most).collect() };
        self.make_room(parts.iter().map(|part| 32 + part.len().next_multiple_of(32)).sum());
        self.messages.push((Position::new(self.position), payload.to_vec()));
        for (index, part) in parts.iter().enumerate() {
            let begins = if index == 0 { 0x80 } else { 0 };
            let ends = if index + 1 == parts.len() { 0x40 } else { 0 };
            self.frame(DATA, begins | ends, 32 + part.len(), part, reserved);
        }
    }

    /// Writes an aborted claim of `length` bytes: its frame is padding and keeps its length.
    fn aborted(&mut self, length: usize) {
        self.make_room((32 + length).next_multiple_of(32));
        self.frame(PADDING, UNFRAGMENTED, 32 + length, &[], 0);
    }

    /// Fills the term with padding unless `needed` bytes fit.
    fn make_room(&mut self, needed: usize) {
        let rest = (TERM - self.position % TERM) as usize;
        if needed > rest {
            self.frame(PADDING, UNFRAGMENTED, rest, &[], 0);
        }
    }

    /// Stores the segments and a catalog where a journal looks for them.
    pub(crate) fn store(&self, catalog: &[u8]) -> MemoryStorage {
        let storage = MemoryStorage::new(RAW);
        for (name, bytes) in self.files.iter().chain([(&"archive.catalog".to_owned(), &catalog.to_vec())]) {
            storage.create(name, bytes.len() as u64, Reserve::Space).unwrap().bytes(RAW).put_bytes(0, bytes);
        }
        storage.sync_names().unwrap();
        storage
    }
}

/// Computes a CRC-32C bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 })
    })
}

/// A recording of an archive with messages of all lengths, some of them longer than a frame.
pub(crate) fn recorded(descriptor: &Descriptor, count: u64, checksums: bool) -> Segments {
    let mut segments = Segments::new(descriptor, checksums);
    for number in 0..count {
        segments.message(&content(number), number as i64);
    }
    segments
}

fn content(number: u64) -> Vec<u8> {
    if number % 40 == 39 { vec![number as u8; 5_000] } else { message(0, number) }
}

fn bytes_of(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let stored = storage.open(name, 1, FileAccess::ReadOnly).unwrap();
    let mut bytes = vec![0; stored.bytes(RAW).len()];
    stored.bytes(RAW).get_bytes(0, &mut bytes);
    bytes
}

/// The files of a storage that an archive reads.
fn archived(storage: &MemoryStorage) -> BTreeMap<String, Vec<u8>> {
    let names = storage.names().unwrap().into_iter().filter(|name| name.ends_with(".rec"));
    names.map(|name| (name.clone(), bytes_of(storage, &name))).collect()
}

fn options(descriptor: &Descriptor) -> JournalOptions {
    JournalOptions::new()
        .term_length(TERM)
        .segment_length(SEGMENT)
        .mtu(MTU as i64)
        .stamps(Stamps::None)
        .stream_id(StreamId::new(descriptor.stream_id))
        .session_id(SessionId::new(descriptor.session_id))
        .initial_term_id(TermId::new(descriptor.initial_term_id))
        .start_position(Position::new(descriptor.start_position))
        .channel(descriptor.texts[0].clone())
}

fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert!(found.keys().eq(expected.keys()), "{:?} and {:?}", found.keys(), expected.keys());
    for (name, bytes) in found {
        let differing = bytes.iter().zip(&expected[name]).position(|(found, expected)| found != expected);
        assert_eq!((differing, bytes.len()), (None, expected[name].len()), "{name}");
    }
}

/// Compares the writer above with messages that the archive's own encoders wrote, with every field of the catalog's
/// three messages.
#[test]
fn every_field_of_a_catalog_is_where_the_archives_own_encoder_puts_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/golden/aeron-archive-codecs.jsonl");
    let Ok(golden) = std::fs::read_to_string(path) else {
        skip::report("archive::every_field_of_a_catalog", "no ../shared/data here");
        return;
    };
    let mut compared = BTreeMap::new();
    for line in golden.lines() {
        let (_, line) = line.split_once("{\"message\":\"").unwrap();
        let (name, line) = line.split_once("\",\"hex\":\"").unwrap();
        let (hex, json) = line.split_once("\",\"json\":").unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let text = |field: &str| {
            let (_, rest) = json.split_once(&format!("\\\"{field}\\\": ")).unwrap();
            rest.split_once("\\n").unwrap().0.trim_end_matches(',').trim_matches(['\\', '"']).to_owned()
        };
        let long = |field: &str| text(field).parse::<i64>().unwrap();
        let int = |field: &str| text(field).parse::<i32>().unwrap();
        let reserved = || text("reserved").parse().unwrap();
        let expected = match name {
            "CatalogHeader" => {
                catalog_header(int("version"), int("length"), long("nextRecordingId"), int("alignment"), reserved())
            }
            "RecordingDescriptorHeader" => {
                let state = ["INVALID", "VALID", "DELETED"].iter().position(|state| *state == text("state"));
                // One of them has no state, which is expressed by this number.
                let state = state.map_or(i32::MIN, |state| state as i32);
                entry_header([int("length"), state, int("checksum")], reserved())
            }
            "RecordingDescriptor" => Descriptor {
                state: 1,
                checksum: 0,
                control_session_id: long("controlSessionId"),
                correlation_id: long("correlationId"),
                recording_id: long("recordingId"),
                timestamps: ["startTimestamp", "stopTimestamp"].map(long),
                start_position: long("startPosition"),
                stop_position: long("stopPosition"),
                initial_term_id: int("initialTermId"),
                lengths: ["segmentFileLength", "termBufferLength", "mtuLength"].map(int),
                session_id: int("sessionId"),
                stream_id: int("streamId"),
                texts: ["strippedChannel", "originalChannel", "sourceIdentity"].map(text),
            }
            .body(),
            _ => continue,
        };
        // After the message's header, which the catalog does not have.
        assert_eq!(bytes[8..], expected, "{name}: {json}");
        *compared.entry(name).or_insert(0) += 1;
    }
    assert!(compared.len() == 3 && compared.values().all(|&count| count > 4), "{compared:?}");
}

/// Compares which files exist, how long they are, and every byte of them.
#[test]
fn what_a_journal_leaves_is_what_an_archive_would() {
    // The start of the worked example, in the middle of a term, and the start of a stream.
    for start in [70_016, 0] {
        let mut descriptor = Descriptor::new(0, start);
        descriptor.texts = ["aeron:ipc?alias=quotes", "aeron:ipc?alias=quotes", "gannet-journal"].map(str::to_owned);
        let storage = MemoryStorage::new(RAW);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options(&descriptor)).unwrap();
        let mut appender = journal.appender().unwrap();
        let mut expected = Segments::new(&descriptor, false);
        for number in 0..2_000 {
            let end = appender.append_with(&content(number), number as i64).unwrap();
            expected.message(&content(number), number as i64);
            assert_eq!(end.get(), expected.position);
            if number % 100 == 0 {
                drop(appender.claim(100).unwrap());
                expected.aborted(100);
            }
        }
        drop(appender);
        journal.close().unwrap();
        assert!(expected.files.len() > 3, "{} segments", expected.files.len());
        assert_same(&archived(&storage), &expected.files);

        let found = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
        let times = [Some(found.descriptor().start_timestamp), found.descriptor().stop_timestamp];
        descriptor.timestamps = times.map(|time| time.unwrap().get());
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let [started, stopped] = descriptor.timestamps;
        assert!(now - 3_600_000 < started && started <= stopped && stopped <= now, "{started} {stopped} {now}");
        descriptor.stop_position = expected.position;
        let bytes = bytes_of(&storage, "archive.catalog");
        assert!(bytes == catalog(&[&descriptor], 1, bytes.len()), "{:x?}", &bytes[..256]);
    }
}

/// Segments roll eagerly: a recording that stops at the end of a segment has the next one, empty. Without it, a
/// verifier would consider the recording's end impossible.
#[test]
fn a_recording_that_ends_with_its_segment_has_the_next_one() {
    let descriptor = Descriptor::new(0, 0);
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &options(&descriptor)).unwrap();
    let mut appender = journal.appender().unwrap();
    let mut expected = Segments::new(&descriptor, false);
    for _ in 0..SEGMENT / 32 {
        appender.append(&[]).unwrap();
        expected.message(&[], 0);
    }
    assert_eq!(expected.position, SEGMENT);
    drop(appender);
    journal.close().unwrap();
    assert_same(&archived(&storage), &expected.files);
    assert!(expected.files.contains_key("0-131072.rec"));
    // Opened, closed and continued again.
    Journal::open_in(Arc::new(storage.clone()), None).unwrap().close().unwrap();
    assert_same(&archived(&storage), &expected.files);
    let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
    journal.appender().unwrap().append(b"one more").unwrap();
    expected.message(b"one more", 0);
    journal.close().unwrap();
    assert_same(&archived(&storage), &expected.files);
}

/// The padding of a cycle is in frames that a verifier can read, whose buffer for a frame has 1 MiB.
#[test]
fn what_fills_up_a_cycle_is_in_frames_of_a_mebibyte_at_most() {
    let storage = MemoryStorage::new(RAW);
    let second = RollCycle::every(core::time::Duration::from_secs(1));
    let length = 4 << 20;
    let options = JournalOptions::new().term_length(length).segment_length(length).mtu(MTU as i64).roll(second);
    let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
    let end = journal.appender().unwrap().append(b"first").unwrap();
    eventually("the cycle ends", || journal.recorded().unwrap() > end);
    journal.close().unwrap();
    let bytes = bytes_of(&storage, "0-0.rec");
    let (mut at, mut frames) = (0, Vec::new());
    while at < bytes.len() {
        let frame = i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        frames.push((bytes[at + 6], frame));
        at += frame.next_multiple_of(32);
    }
    assert_eq!((at, frames[0]), (length as usize, (DATA as u8, 37)));
    assert_eq!(frames[1..].iter().map(|(_, length)| length).sum::<usize>(), length as usize - 64);
    assert!(frames[1..].iter().all(|&(kind, length)| kind == PADDING as u8 && length <= 1 << 20), "{frames:?}");
}

/// Each field of an archive's catalog is read correctly; invalid entries are skipped.
#[test]
fn every_field_of_an_archives_catalog_is_read() {
    let mut deleted = Descriptor::new(0, 0);
    deleted.state = 2;
    let mut extended = Descriptor::new(3, 70_016);
    extended.control_session_id = 0x1122_3344_5566_7788;
    extended.correlation_id = -5;
    extended.checksum = -77;
    extended.timestamps = [1_700_000_000_001, 1_700_000_000_002];
    extended.stop_position = 200_000;
    let mut invalid = Descriptor::new(4, 0);
    invalid.state = 0;
    let going_on = Descriptor::new(9, 96);
    let storage = MemoryStorage::new(RAW);
    let bytes = catalog(&[&deleted, &extended, &invalid, &going_on], 12, 1 << 20);
    storage.create("archive.catalog", bytes.len() as u64, Reserve::Space).unwrap().bytes(RAW).put_bytes(0, &bytes);

    let catalog = Catalog::open(&storage, FileAccess::ReadOnly).unwrap();
    assert_eq!(catalog.next_recording_id().get(), 12);
    let entries: Vec<_> = catalog.entries().map(Result::unwrap).collect();
    assert_eq!(entries.iter().map(|entry| entry.descriptor.recording_id.get()).collect::<Vec<_>>(), [0, 3, 4, 9]);
    let states: Vec<String> = entries.iter().map(|entry| format!("{:?}", entry.state)).collect();
    assert_eq!(states, ["Deleted", "Valid", "Invalid", "Valid"]);
    let found = &entries[1];
    assert_eq!(found.checksum, -77);
    let found = &found.descriptor;
    assert_eq!((found.control_session_id, found.correlation_id), (0x1122_3344_5566_7788, -5));
    assert_eq!(found.recording_id.get(), 3);
    assert_eq!(found.start_timestamp.get(), 1_700_000_000_001);
    assert_eq!(found.stop_timestamp.map(|time| time.get()), Some(1_700_000_000_002));
    assert_eq!((found.start_position.get(), found.stop_position), (70_016, Some(Position::new(200_000))));
    assert_eq!(found.initial_term_id.get(), -2);
    assert_eq!((i64::from(found.segment_length.get()), i64::from(found.term_length.get())), (SEGMENT, TERM));
    assert_eq!((found.mtu.get() as usize, found.session_id.get(), found.stream_id.get()), (MTU, -8, 1001));
    assert_eq!(
        [&found.stripped_channel, &found.original_channel, &found.source_identity],
        ["aeron:ipc", "aeron:ipc?term-length=64k", "aeron:ipc"]
    );
    let going_on = &entries[3].descriptor;
    assert_eq!((going_on.stop_timestamp, going_on.stop_position), (None, None));
    for id in [0, 4, 5] {
        let error = catalog.find(RecordingId::new(id)).unwrap_err();
        assert!(matches!(error, JournalError::UnknownRecording { .. }), "{error}");
    }
}

/// A recording of an archive is read and searched like a journal's own, with or without checksums for session ids. A
/// journal that continues it leaves the files that an archive would.
#[test]
fn what_an_archive_recorded_is_read_and_gone_on_with() {
    for (start, checksums) in [(70_016, false), (0, true)] {
        let mut descriptor = Descriptor::new(7, start);
        let mut expected = recorded(&descriptor, 1_500, checksums);
        descriptor.stop_position = expected.position;
        descriptor.timestamps[1] = 1_700_000_000_009;
        let storage = expected.store(&catalog(&[&descriptor], 8, 1 << 20));

        let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
        assert_eq!(all(&recording), expected.messages);
        let mut tailer = recording.tailer(Start::End).unwrap();
        assert_eq!((tailer.position().get(), tailer.sequence()), (expected.position, Some(1_500)));
        for (number, (position, payload)) in expected.messages.iter().enumerate().rev() {
            let record = tailer.previous().unwrap().unwrap();
            let found = (record.position(), record.sequence(), record.payload());
            assert_eq!(found, (*position, Some(number as i64), &payload[..]));
            assert_eq!(record.fragment().reserved_value(), number as i64);
        }
        let (position, payload) = &expected.messages[1_234];
        for start in [Start::Position(*position), Start::Sequence(1_234)] {
            assert_eq!(recording.tailer(start).unwrap().next().unwrap().unwrap().payload(), payload);
        }
        // Its reserved values come from the publisher and are not times.
        let error = recording.tailer(Start::Time(EpochNanos::new(0))).unwrap_err();
        assert!(matches!(error, JournalError::NoTimes { .. }), "{error}");
        assert_eq!(recording.tailer(Start::Begin).unwrap().next().unwrap().and_then(|found| found.time()), None);
        assert!(recording.verify(|_| {}).unwrap().is_whole());

        let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
        let report = journal.recovery();
        assert_eq!((report.left_by, report.end.get(), &report.cut), (LeftBy::Stranger, expected.position, &None));
        let mut appender = journal.appender().unwrap();
        expected.checksums = false;
        for number in 1_500..3_000 {
            appender.append_with(&content(number), number as i64).unwrap();
            expected.message(&content(number), number as i64);
        }
        drop(appender);
        journal.close().unwrap();
        assert_same(&archived(&storage), &expected.files);
        let stopped = Recording::open_in(Arc::new(storage.clone()), None).unwrap().descriptor().stop_timestamp;
        descriptor.timestamps[1] = stopped.unwrap().get();
        descriptor.stop_position = expected.position;
        assert!(bytes_of(&storage, "archive.catalog") == catalog(&[&descriptor], 8, 1 << 20), "an entry of an archive");
    }
}

/// While a journal is open, its directory has the mark of a live process, and no archive starts there. Afterwards an
/// archive may start, and while it runs, only its clients write there.
#[test]
fn an_archive_and_a_journal_keep_out_of_each_others_way() {
    const MARK: &str = "archive-mark.dat";
    let descriptor = Descriptor::new(0, 0);
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &options(&descriptor)).unwrap();
    let word = |storage: &MemoryStorage, at: usize| {
        let mut bytes = [0; 8];
        storage.open(MARK, 1, FileAccess::ReadOnly).unwrap().bytes(RAW).get_bytes(at, &mut bytes);
        i64::from_le_bytes(bytes)
    };
    let activity = |storage: &MemoryStorage| word(storage, 16);
    let first = activity(&storage);
    eventually("it says that it is alive", || activity(&storage) > first);
    // Another process opens and closes the journal.
    Journal::open_in(Arc::new(storage.clone()), None).unwrap().close().unwrap();
    assert!(activity(&storage) > first);
    // After a kill it is considered alive for a while, which other journals ignore.
    let killed = storage.after_kill();
    assert!(activity(&killed) > first);
    Journal::open_in(Arc::new(killed.clone()), None).unwrap().close().unwrap();
    assert_eq!(activity(&killed), -1);
    journal.close().unwrap();
    assert_eq!(activity(&storage), -1);

    // An archive starts there.
    let mark = storage.open(MARK, 1, FileAccess::ReadWrite).unwrap();
    mark.bytes(RAW).put_bytes(136, &[0; 18]);
    mark.bytes(RAW).put_bytes(16, &i64::MAX.to_le_bytes());
    let before = storage.names().unwrap();
    let request = gannet::journal::Prune::by(&gannet::journal::Retention::new().max_bytes(1));
    let refused = [
        Journal::open_in(Arc::new(storage.clone()), None).map(drop),
        Journal::create_in(Arc::new(storage.clone()), &options(&descriptor)).map(drop),
        gannet::journal::prune(Arc::new(storage.clone()), None, &request, |_| {}).map(drop),
        gannet::journal::repair(Arc::new(storage.clone()), None, false, |_| {}).map(drop),
    ];
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(matches!(error, JournalError::ArchiveRunning { .. }), "{error}");
    }
    assert_eq!(storage.names().unwrap(), before);
    assert!(all(&Recording::open_in(Arc::new(storage.clone()), None).unwrap()).is_empty(), "whoever reads may");
}

/// The recording of a killed archive ends with the last frame of its highest segment, even if that is empty.
#[test]
fn what_a_killed_archive_left_is_recovered_as_it_would() {
    for fills_up in [false, true] {
        let descriptor = Descriptor::new(0, 96);
        let mut expected = recorded(&descriptor, 1_000, false);
        while fills_up && expected.position % SEGMENT != 0 {
            expected.message(&[], 0);
        }
        let storage = expected.store(&catalog(&[&descriptor], 1, 1 << 20));
        let before = archived(&storage);
        let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
        let report = journal.recovery();
        assert_eq!((report.left_by, report.end.get(), &report.cut), (LeftBy::Stranger, expected.position, &None));
        assert_eq!(all(&journal.recording().unwrap()), expected.messages);
        journal.close().unwrap();
        assert_same(&archived(&storage), &before);
    }
}
