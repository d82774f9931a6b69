//! Compares our readers and writers with files that Aeron's C driver and C client wrote. We read their files, and make
//! the same files byte for byte from the same parameters and calls. Layouts are asserted where they are declared; this
//! compares the declarations with the peer's files.

#[path = "support/raw_access.rs"]
mod raw_access;
#[path = "support/reference.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};

use gannet::logbuffer::{ConcurrentAppender, ImageReader, LogBuffers, LogKind, LogParameters};
use gannet::memory::{AtomicBuffer, Field, FileAccess, Reserve};
use gannet::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};
use reference::{Facts, reference_file};

use raw_access::RAW;

/// Asserts that our file equals the peer's, except for the operating system's default socket buffers, which depend on
/// the peer's machine.
fn assert_same_bytes(ours: &[u8], theirs: &[u8]) {
    assert_eq!(ours.len(), theirs.len());
    let differing: Vec<_> = (0..ours.len()).filter(|&at| ours[at] != theirs[at]).take(8).collect();
    let shown: Vec<_> = differing.iter().map(|&at| (at, ours[at], theirs[at])).collect();
    assert!(shown.is_empty(), "offset, ours, theirs: {shown:?}");
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The parameters of the log that the facts call `name`.
fn parameters(facts: &Facts, name: &str, kind: LogKind, file: &[u8]) -> LogParameters {
    let of = |what: &str| facts.number(&format!("{name}_{what}"));
    let metadata = file.len() - 4096;
    LogParameters {
        registration_id: RegistrationId::new(of("registration_id")),
        mtu: of("max_payload_length") as i32 + 32,
        os_default_send_buffer: i32_at(file, metadata + 296),
        os_default_receive_buffer: i32_at(file, metadata + 308),
        sparse: true,
        ..LogParameters::ipc(
            kind,
            TermLength::new(of("term_length")).unwrap(),
            SessionId::new(of("session_id") as i32),
            StreamId::new(of("stream_id") as i32),
            TermId::new(of("initial_term_id") as i32),
        )
    }
}

fn create(dir: &Path, parameters: &LogParameters) -> (LogBuffers, PathBuf) {
    let path = dir.join("ours.logbuffer");
    (LogBuffers::create(&path, parameters, 0o600, Reserve::Space, RAW).unwrap(), path)
}

#[test]
fn a_fresh_exclusive_log_is_the_same() {
    let (facts, theirs) = (Facts::read(), reference_file("log-exclusive"));
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = create(dir.path(), &parameters(&facts, "exclusive", LogKind::Exclusive, &theirs));
    assert_same_bytes(&fs::read(path).unwrap(), &theirs);
}

#[test]
fn trap_44_a_log_that_starts_in_its_third_term_is_the_same() {
    let (facts, theirs) = (Facts::read(), reference_file("log-positioned"));
    let dir = tempfile::tempdir().unwrap();
    let mut parameters = parameters(&facts, "positioned", LogKind::Exclusive, &theirs);
    parameters.start_position = Position::new(2 * i64::from(parameters.term_length.get()) + 128);
    let (log, path) = create(dir.path(), &parameters);
    assert_same_bytes(&fs::read(path).unwrap(), &theirs);
    assert_eq!(log.producer_position(), parameters.start_position);
}

#[test]
fn frames_of_every_sort_are_the_same() {
    let (facts, theirs) = (Facts::read(), reference_file("log-concurrent"));
    let dir = tempfile::tempdir().unwrap();
    let (log, path) = create(dir.path(), &parameters(&facts, "concurrent", LogKind::Concurrent, &theirs));
    log.metadata().set_connected(true);
    let limit = AtomicBuffer::zeroed(64, RAW).own::<i64>(Field::at(0));
    limit.store_release(32 * 1024);
    let publication = ConcurrentAppender::new(&log, limit).unwrap();
    // The same operations that the peer made on its log.
    let position = publication.offer_with(b"hello", 0x0102).unwrap();
    assert_eq!(position.get(), facts.number("concurrent_first_position"));
    publication.offer(&[9; 3000]).unwrap();
    publication.try_claim(10).unwrap().abort();
    std::mem::forget(publication.try_claim(20).unwrap());
    assert_eq!(publication.position().get(), facts.number("concurrent_tail_position"));
    assert_same_bytes(&fs::read(path).unwrap(), &theirs);
}

#[test]
fn the_peers_logs_are_read() {
    let facts = Facts::read();
    let dir = tempfile::tempdir().unwrap();
    for (name, kind) in [("concurrent", LogKind::Concurrent), ("exclusive", LogKind::Exclusive)] {
        let path = dir.path().join(name);
        fs::write(&path, reference_file(&format!("log-{name}"))).unwrap();
        let log = LogBuffers::open(&path, FileAccess::ReadWrite, RAW).unwrap();
        let of = |what: &str| facts.number(&format!("{name}_{what}"));
        assert_eq!(log.kind(), kind);
        assert_eq!(i64::from(log.session_id().get()), of("session_id"));
        assert_eq!(i64::from(log.stream_id().get()), of("stream_id"));
        assert_eq!(i64::from(log.initial_term_id().get()), of("initial_term_id"));
        assert_eq!(i64::from(log.term_length().get()), of("term_length"));
        assert_eq!(log.max_payload_length() as i64, of("max_payload_length"));
        let metadata = log.metadata();
        assert_eq!(metadata.registration_id().get(), of("registration_id"));
        assert_eq!(metadata.page_size(), 4096);
        assert_eq!(metadata.end_of_stream_position().get(), i64::MAX);
        assert!(!metadata.is_revoked());
        assert_eq!(metadata.publication_window(), log.term_length().get() / 2);
    }
}

#[test]
fn the_peers_frames_are_read() {
    let facts = Facts::read();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs");
    fs::write(&path, reference_file("log-concurrent")).unwrap();
    let log = LogBuffers::open(&path, FileAccess::ReadWrite, RAW).unwrap();
    assert_eq!(log.producer_position().get(), facts.number("concurrent_tail_position"));
    let position = AtomicBuffer::zeroed(64, RAW).own::<i64>(Field::at(0));
    let mut reader = ImageReader::new(log, position);
    let mut seen = Vec::new();
    reader.poll(|f| seen.push((f.payload().len(), f.flags(), f.reserved_value(), f.position().get())), 10);
    let expected = [(5, 0xc0, 0x0102, 64), (1376, 0x80, 0, 1472), (1376, 0, 0, 2880), (248, 0x40, 0, 3168)];
    assert_eq!(seen, expected, "the claim under way is not delivered");
    assert_eq!(reader.position().get(), facts.number("subscriber_position"), "the aborted claim counts");
}
