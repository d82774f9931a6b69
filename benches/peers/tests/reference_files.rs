//! The files of Aeron's C driver, read by byte offsets only: the facts that our layouts are based on. Our driver has to
//! pass the same tests.

use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::client::{Client, ClientOptions, ExclusivePublication, OfferError, Publication, Subscription};
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::reference_files::{CncRegions, Snapshot};
use rustix::process::Signal;
use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
const STREAM: i32 = 1001;
const CHANNEL: &str = "aeron:ipc?term-length=64k";
const TERM_LENGTH: i64 = 65536;
const NS_PER_S: i64 = 1_000_000_000;

/// Tests every fact with every driver.
macro_rules! facts {
    ($($fact:ident,)*) => {
        mod aerons_driver {
            $(#[test] fn $fact() { super::$fact(super::DriverKind::Aeron); })*
        }
        mod our_driver {
            $(#[test] fn $fact() { super::$fact(super::DriverKind::Gannet); })*
        }
    };
}

facts! {
    a_fresh_cnc_file,
    lengths_that_are_not_the_defaults,
    trap_03_with_large_pages_the_metadata_is_still_at_the_end,
    counters_and_events_of_the_first_publication,
    names_of_counters_are_cut_where_the_record_ends,
    metadata_of_fresh_logs,
    a_log_that_starts_in_the_middle,
    frames_in_a_term,
    trap_41_the_tail_of_a_full_term_lies_beyond_it,
    trap_73_the_last_term_ends_the_stream,
    the_end_of_a_stream_in_its_log,
    an_error_in_the_log_of_errors,
    limits_move_in_steps_and_fall_back_without_readers,
}

/// A driver in a directory of its own. The directory is dropped last.
struct Running {
    driver: DriverProcess,
    dir: AeronDir,
}

impl Running {
    fn start(kind: DriverKind, options: DriverOptions) -> Self {
        let dir = AeronDir::unique("files");
        let driver = DriverProcess::start(kind, dir.path(), &options.with("aeron.timer.interval", "50ms")).unwrap();
        Self { driver, dir }
    }

    fn cnc(&self) -> Snapshot {
        Snapshot::of(&self.dir.path().join("cnc.dat")).unwrap()
    }

    fn client(&self) -> Client {
        Client::connect_with(self.dir.path(), &ClientOptions::patient()).unwrap()
    }

    fn log(&self, registration_id: i64) -> Snapshot {
        Snapshot::of_publication(self.dir.path(), registration_id).unwrap()
    }
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Reads until there are `count` fragments.
fn drain(subscription: &Subscription, count: usize) {
    let mut read = 0;
    until("everything is read", || {
        read += subscription.poll(|_| {}, count - read);
        read == count
    });
}

fn connected(client: &Client, channel: &str) -> (Subscription, Publication) {
    let subscription = client.add_subscription(channel, STREAM).unwrap();
    let publication = client.add_publication(channel, STREAM).unwrap();
    until("the stream is connected", || publication.is_connected() && subscription.is_connected());
    // The driver raises the publication limit a little later.
    until("there is room", || publication.position_limit().unwrap() > publication.position().unwrap());
    (subscription, publication)
}

fn connected_exclusive(client: &Client, channel: &str) -> (Subscription, ExclusivePublication) {
    let subscription = client.add_subscription(channel, STREAM).unwrap();
    let publication = client.add_exclusive_publication(channel, STREAM).unwrap();
    until("the stream is connected", || publication.is_connected() && subscription.is_connected());
    until("there is room", || publication.position_limit().unwrap() > publication.position().unwrap());
    (subscription, publication)
}

/// The events of the to-clients buffer, oldest first, until it wraps: type, and offset and length of the payload.
fn events(cnc: &Snapshot, regions: &CncRegions) -> Vec<(i32, usize, usize)> {
    let tail = cnc.i64(regions.broadcast_trailer() + 8) as usize;
    let mut found = Vec::new();
    let mut at = 0;
    while at < tail {
        let record = regions.offsets[1] + at;
        let length = cnc.i32(record) as usize;
        found.push((cnc.i32(record + 4), record + 8, length - 8));
        at += length.next_multiple_of(8);
    }
    found
}

fn a_fresh_cnc_file(kind: DriverKind) {
    let mut running = Running::start(kind, DriverOptions::default());
    let cnc = running.cnc();
    let regions = cnc.cnc_regions();
    assert_eq!(cnc.bytes().len(), 48_238_592);
    assert_eq!(regions.offsets, [128, 1_049_472, 2_098_176, 35_652_608, 44_041_216]);
    assert_eq!(cnc.i32(0), 512, "version 0.2.0");
    assert_eq!(cnc.i64(24), 10 * NS_PER_S, "client liveness timeout");
    assert_eq!(cnc.i64(40), i64::from(running.driver.process().id()));
    assert_eq!(cnc.i32(48), 4096, "file page size");
    assert!(cnc.is_zero(52, 76));
    assert_eq!((regions.correlation_counter(), regions.consumer_heartbeat()), (1_049_216, 1_049_344));
    assert_eq!(regions.broadcast_trailer(), 2_098_048);
    for field in [128, 256, 384] {
        assert_eq!(cnc.i64(regions.ring_trailer() + field), 0, "tail, head cache, head");
    }
    assert_eq!(cnc.i64(regions.correlation_counter()), 1, "one id is drawn before the first client");
    assert!(cnc.i64(regions.consumer_heartbeat()) >= cnc.i64(32), "heartbeat no older than the start");
    assert!(cnc.is_zero(regions.offsets[1], regions.lengths[1]), "no event yet");
    assert!(cnc.is_zero(regions.offsets[4], regions.lengths[4]), "no error yet");

    for id in 0..46 {
        let (metadata, value) = (regions.counter_metadata(id), regions.counter_value(id));
        assert_eq!((cnc.i32(metadata), cnc.i32(metadata + 4)), (1, 0), "system counter {id}");
        assert_eq!(cnc.i64(metadata + 8), i64::MAX, "system counter {id}");
        assert_eq!(cnc.i32(metadata + 16), id as i32, "system counter {id}");
        assert_eq!((cnc.i64(value + 8), cnc.i64(value + 16)), (id as i64, -1), "system counter {id}");
    }
    assert!(cnc.is_zero(regions.counter_metadata(46), 512));
    let label = |id: usize| cnc.text(regions.counter_metadata(id) + 128);
    assert_eq!((label(0).as_str(), label(43).as_str()), ("Bytes sent", "Control protocol version"));
    assert!(label(34).starts_with("Aeron software: version="), "{}", label(34));
    assert_eq!(cnc.i64(regions.counter_value(43)), 1 << 16);
    let version = match kind {
        DriverKind::Aeron => (1 << 16) | (54 << 8),
        DriverKind::Gannet => 1 << 8,
    };
    assert_eq!(cnc.i64(regions.counter_value(34)), version, "version 1.54.0, and 0.1.0 of ours");
    assert_eq!(cnc.i64(regions.counter_value(35)), 48_238_592 + 1_048_576, "CnC file and loss report");

    running.driver.process().signal(Signal::TERM).unwrap();
    running.driver.process().wait(PATIENCE).unwrap();
    assert_eq!(running.cnc().i64(regions.consumer_heartbeat()), -1, "after a clean stop");
    for left in ["loss-report.dat", "publications", "images"] {
        assert!(running.dir.path().join(left).exists(), "{left} stays");
    }
}

fn lengths_that_are_not_the_defaults(kind: DriverKind) {
    let options = DriverOptions::default()
        .with("aeron.conductor.buffer.length", (2 << 20) + 768)
        .with("aeron.clients.buffer.length", (4 << 20) + 128)
        .with("aeron.counters.buffer.length", 1 << 20)
        .with("aeron.error.buffer.length", (4 << 20) + 64)
        .with("aeron.loss.report.buffer.length", 4096)
        .with("aeron.client.liveness.timeout", "7s");
    let running = Running::start(kind, options);
    let cnc = running.cnc();
    let lengths = [2_097_920, 4_194_432, 4_194_304, 1_048_576, 4_194_368];
    assert_eq!(cnc.cnc_regions().lengths, lengths);
    assert_eq!(cnc.cnc_regions().offsets, [128, 2_098_048, 6_292_480, 10_486_784, 11_535_360]);
    // The file's length is a multiple of the page size; there are only zeros behind the last region.
    let used = 128 + lengths.iter().sum::<usize>();
    assert_eq!((used, cnc.bytes().len()), (15_729_728, 15_732_736));
    assert!(cnc.is_zero(used, cnc.bytes().len() - used));
    assert_eq!((cnc.i64(24), cnc.i32(48)), (7 * NS_PER_S, 4096));
    let regions = cnc.cnc_regions();
    assert!(cnc.i64(regions.consumer_heartbeat()) >= cnc.i64(32), "the trailer is at the end of its region");
    assert_eq!(cnc.i64(regions.counter_value(43)), 1 << 16, "the values follow the metadata");
    let report = Snapshot::of(&running.dir.path().join("loss-report.dat")).unwrap();
    assert_eq!(report.bytes().len(), 4096);
    assert!(report.is_zero(0, 4096));
}

fn trap_03_with_large_pages_the_metadata_is_still_at_the_end(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient().with("aeron.file.page.size", 65536));
    let cnc = running.cnc();
    assert_eq!(cnc.bytes().len(), 48_300_032);
    assert_eq!(cnc.i32(48), 65536);
    assert_eq!(cnc.cnc_regions().offsets, [128, 1_049_472, 2_098_176, 35_652_608, 44_041_216]);
    let publication = running.client().add_publication(CHANNEL, STREAM).unwrap();
    let log = running.log(publication.facts().registration_id);
    assert_eq!((log.bytes().len(), log.log_metadata_offset()), (262_144, 258_048));
    assert_eq!(log.i32(258_048 + 280), 65536);
    assert!(log.is_zero(3 * 65536, 258_048 - 3 * 65536));
}

fn counters_and_events_of_the_first_publication(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let publication = client.add_publication(CHANNEL, STREAM).unwrap();
    let facts = publication.facts();
    let subscription = client.add_subscription(CHANNEL, STREAM).unwrap();
    until("the stream is connected", || subscription.is_connected());
    let cnc = running.cnc();
    let regions = cnc.cnc_regions();
    let types: Vec<_> = (46..50).map(|id| cnc.i32(regions.counter_metadata(id) + 4)).collect();
    assert_eq!(types, [12, 1, 11, 4], "pub-pos, pub-lmt, client-heartbeat, sub-pos");

    let heartbeat = regions.counter_metadata(48);
    assert_eq!(cnc.i64(heartbeat + 16), client.client_id());
    assert_eq!(cnc.i64(regions.counter_value(48) + 8), client.client_id());
    assert_eq!(cnc.i64(regions.counter_value(48) + 16), client.client_id());
    until("the client has named itself", || {
        let cnc = running.cnc();
        let label = cnc.text(heartbeat + 128);
        label.starts_with(&format!("client-heartbeat: id={} name= version=1.54.0 commit=", client.client_id()))
    });

    let events = events(&cnc, &regions);
    let types: Vec<_> = events.iter().map(|&(kind, _, _)| kind).collect();
    let (counter_ready, publication_ready, subscription_ready, available_image) = (0x0f08, 0x0f03, 0x0f07, 0x0f02);
    assert_eq!(types, [counter_ready, publication_ready, subscription_ready, available_image]);
    let path = format!("{}/publications/{}.logbuffer", running.dir.path().display(), facts.registration_id);
    let (_, ready, length) = events[1];
    assert_eq!(length, 36 + path.len());
    assert_eq!((cnc.i64(ready), cnc.i64(ready + 8)), (facts.registration_id, facts.original_registration_id));
    assert_eq!((cnc.i32(ready + 16), cnc.i32(ready + 20)), (facts.session_id, STREAM));
    assert_eq!((cnc.i32(ready + 24), cnc.i32(ready + 28)), (47, -1));
    assert_eq!(cnc.text(ready + 32), path);
    let (_, ready, length) = events[2];
    assert_eq!((length, cnc.i64(ready), cnc.i32(ready + 8)), (12, subscription.registration_id(), -1));
    let (_, image, length) = events[3];
    let source = 32 + path.len().next_multiple_of(4);
    assert_eq!(length, source + 4 + "aeron:ipc".len(), "not padded at its end");
    assert_eq!((cnc.i64(image), cnc.i64(image + 16)), (facts.registration_id, subscription.registration_id()));
    assert_eq!(cnc.i32(image + 24), 49);
    assert_eq!((cnc.text(image + 28), cnc.text(image + source)), (path, "aeron:ipc".into()));

    // After the driver has processed what it read from the ring.
    until("trap 7: everything consumed is zeroed", || {
        running.cnc().is_zero(regions.offsets[0], regions.lengths[0] - 768)
    });
}

fn names_of_counters_are_cut_where_the_record_ends(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let counter = client.add_counter(1100, &[7; 200], &"x".repeat(500)).unwrap();
    let id = counter.id() as usize;
    let cnc = running.cnc();
    let regions = cnc.cnc_regions();
    let metadata = regions.counter_metadata(id);
    assert_eq!(cnc.slice(metadata + 16, 112), [7; 112]);
    assert_eq!(cnc.text(metadata + 128), "x".repeat(380));
    drop(counter);
    until("the counter is reclaimed, and its key zeroed (trap 36)", || {
        let cnc = running.cnc();
        cnc.i32(metadata) == -1 && cnc.is_zero(metadata + 16, 112)
    });
    let freed = running.cnc();
    assert_eq!((freed.i32(metadata + 4), freed.text(metadata + 128).len()), (1100, 380), "the label is not");
    let value = regions.counter_value(id);
    assert_eq!((freed.i64(value + 8), freed.i64(value + 16)), (cnc.i64(value + 8), client.client_id()));

    let long = format!("{CHANNEL}|alias={}", "y".repeat(200));
    let publication = client.add_publication(&long, STREAM).unwrap();
    let limit = publication.facts().limit_counter_id as usize;
    let cnc = running.cnc();
    let metadata = regions.counter_metadata(limit);
    assert_eq!(cnc.i32(metadata + 16 + 16), 92, "the channel in the key is cut");
    assert_eq!(cnc.text(metadata + 16 + 16), long[..92]);
    assert!(cnc.text(metadata + 128).ends_with(&long));
}

fn metadata_of_fresh_logs(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let concurrent = client.add_publication(CHANNEL, STREAM).unwrap();
    let exclusive = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    for (facts, kind) in [(concurrent.facts(), 0), (exclusive.facts(), 1)] {
        let log = running.log(facts.registration_id);
        assert_eq!((log.bytes().len(), log.log_metadata_offset()), (200_704, 196_608));
        let at = log.log_metadata_offset();
        let initial = facts.initial_term_id;
        let tails = [0, 8, 16].map(|offset| log.i64(at + offset));
        let shifted = |term_id: i32| i64::from(term_id) << 32;
        assert_eq!(tails, [shifted(initial), shifted(initial.wrapping_sub(2)), shifted(initial.wrapping_sub(1))]);
        assert_eq!(log.i32(at + 24), 0, "active term count");
        assert_eq!((log.i64(at + 128), log.i32(at + 136), log.i32(at + 140)), (i64::MAX, 0, 0));
        assert_eq!((log.i64(at + 256), log.i32(at + 264)), (facts.registration_id, initial));
        assert_eq!([268, 272, 276, 280, 284].map(|offset| log.i32(at + offset)), [32, 1408, 65536, 4096, 32768]);
        assert_eq!(log.i32(at + 292), 0);
        assert!(log.i32(at + 296) > 0 && log.i32(at + 308) > 0, "the OS's default buffers");
        assert_eq!((log.i32(at + 300), log.i32(at + 312), log.i32(at + 316)), (0, 0, 0));
        let header = at + 320;
        assert_eq!(log.slice(header, 8), [0, 0, 0, 0, 0, 0xc0, 1, 0]);
        let ids = [8, 12, 16, 20].map(|offset| log.i32(header + offset));
        assert_eq!(ids, [0, facts.session_id, STREAM, initial]);
        assert!(log.is_zero(header + 24, 104));
        assert_eq!((log.i64(at + 448), log.i64(at + 456)), (-1, -1), "entity tag, response id");
        let timeouts = [464, 472, 480, 500].map(|offset| log.i64(at + offset));
        assert_eq!(timeouts, [5 * NS_PER_S, 5 * NS_PER_S, 10 * NS_PER_S, 5 * NS_PER_S]);
        assert_eq!(log.slice(at + 488, 8), [0, 0, 0, 0, 1, 1, 0, 0]);
        assert_eq!((log.u8(at + 496), log.u8(at + 497)), (0, kind));
        assert!(log.is_zero(at + 508, 4096 - 508));
        assert!(log.is_zero(0, at), "terms and what follows them are zero");
    }
}

fn a_log_that_starts_in_the_middle(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let channel = "aeron:ipc?term-length=128k|init-term-id=7|term-id=9|term-offset=128";
    let publication = client.add_exclusive_publication(channel, STREAM).unwrap();
    let facts = publication.facts();
    let log = running.log(facts.registration_id);
    assert_eq!(log.bytes().len(), 397_312);
    let at = log.log_metadata_offset();
    assert_eq!([0, 8, 16].map(|offset| log.i64(at + offset)), [7 << 32, 8 << 32, (9 << 32) | 128]);
    assert_eq!((log.i32(at + 24), log.i32(at + 264)), (2, 7));
    assert_eq!(log.i32(at + 320 + 20), 7, "the default header names the initial term");
    assert_eq!(log.i32(at + 320 + 8), 0, "and offset 0");
    assert_eq!((publication.position(), publication.position_limit()), (Ok(262_272), Ok(262_272)));
    let cnc = running.cnc();
    let regions = cnc.cnc_regions();
    let limit = facts.limit_counter_id as usize;
    assert_eq!(cnc.i64(regions.counter_value(limit)), 262_272);
    assert_eq!(cnc.i64(regions.counter_value(limit - 1)), 262_272, "pub-pos, made before pub-lmt");
}

fn frames_in_a_term(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let (_subscription, publication) = connected(&client, CHANNEL);
    let facts = publication.facts();
    publication.offer_with_reserved_value(b"hello", 0x0102).unwrap();
    publication.offer(&[9; 3000]).unwrap();
    publication.try_claim(10).unwrap().abort();
    publication.try_claim(20).unwrap().abandon();
    let log = running.log(facts.registration_id);
    let frame = |offset: usize| {
        let ids = [8, 12, 16, 20].map(|field| log.i32(offset + field));
        assert_eq!(ids, [offset as i32, facts.session_id, STREAM, facts.initial_term_id]);
        (log.i32(offset), log.slice(offset + 4, 4).to_vec(), log.i64(offset + 24))
    };
    assert_eq!(frame(0), (37, vec![0, 0xc0, 1, 0], 0x0102));
    assert_eq!(log.slice(32, 5), b"hello");
    assert_eq!(frame(64), (1408, vec![0, 0x80, 1, 0], 0));
    assert_eq!(frame(1472), (1408, vec![0, 0x00, 1, 0], 0));
    assert_eq!(frame(2880), (280, vec![0, 0x40, 1, 0], 0));
    assert_eq!(frame(3168), (42, vec![0, 0xc0, 0, 0], 0), "an aborted claim is padding");
    assert_eq!(frame(3232), (-52, vec![0, 0xc0, 1, 0], 0), "a claim under way");
    let tail = log.i64(log.log_metadata_offset());
    assert_eq!(tail, i64::from(facts.initial_term_id) << 32 | 3296);
}

fn trap_41_the_tail_of_a_full_term_lies_beyond_it(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let (subscription, publication) = connected(&client, CHANNEL);
    let facts = publication.facts();
    let mut position = 0;
    while position < TERM_LENGTH - 1056 {
        position = publication.offer(&[1; 1000]).unwrap();
        drain(&subscription, 1);
        until("room for more", || publication.position_limit().unwrap() > position);
    }
    // 65536 = 62 * 1056 + 64: the next message does not fit into the term.
    assert_eq!(position, 62 * 1056);
    assert_eq!(publication.offer(&[1; 1000]), Err(OfferError::AdminAction));
    let log = running.log(facts.registration_id);
    let at = log.log_metadata_offset();
    assert_eq!(log.i64(at) as u32, 62 * 1056 + 1056, "beyond the term");
    assert_eq!(log.i64(at + 8), i64::from(facts.initial_term_id.wrapping_add(1)) << 32);
    assert_eq!(log.i32(at + 24), 1);
    let padding = 62 * 1056;
    assert_eq!((log.i32(padding), log.slice(padding + 4, 4).to_vec()), (64, vec![0, 0xc0, 0, 0]));
    assert_eq!(publication.position(), Ok(TERM_LENGTH));
}

fn trap_73_the_last_term_ends_the_stream(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let channel = "aeron:ipc?term-length=64k|init-term-id=0|term-id=2147483647|term-offset=65472";
    let (_subscription, publication) = connected_exclusive(&client, channel);
    assert_eq!(publication.offer(&[0; 10]), Ok(TERM_LENGTH << 31));
    assert_eq!(publication.offer(&[0; 10]), Err(OfferError::MaxPositionExceeded));
    assert_eq!(publication.offer(&[0; 10]), Err(OfferError::MaxPositionExceeded));
}

fn the_end_of_a_stream_in_its_log(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let (subscription, publication) = connected(&client, CHANNEL);
    let registration_id = publication.facts().registration_id;
    let position = publication.offer(b"to be drained").unwrap();
    let at = running.log(registration_id).log_metadata_offset();
    assert_eq!(running.log(registration_id).i32(at + 136), 1, "connected");
    drop(publication);
    until("the stream's end is known", || running.log(registration_id).i64(at + 128) == position);
    drain(&subscription, 1);
    until("the image is gone", || subscription.image_count() == 0);
    let path = running.dir.path().join(format!("publications/{registration_id}.logbuffer"));
    until("the file is removed", || !path.exists());

    let (subscription, publication) = connected_exclusive(&client, CHANNEL);
    let registration_id = publication.facts().registration_id;
    let position = publication.offer(b"to be lost").unwrap();
    let path = running.dir.path().join(format!("publications/{registration_id}.logbuffer"));
    let mut open = File::open(&path).unwrap();
    publication.revoke();
    until("the file is removed", || !path.exists());
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes[at + 496], 1, "revoked");
    assert_eq!(bytes[at + 128..at + 136], position.to_le_bytes());
    assert_eq!(bytes[at + 136..at + 140], [0; 4], "no longer connected");
    until("the image is gone", || subscription.image_count() == 0);
}

fn an_error_in_the_log_of_errors(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    for _ in 0..2 {
        client.add_publication("aeron:carrier-pigeon", STREAM).unwrap_err();
    }
    let regions = running.cnc().cnc_regions();
    let entry = regions.offsets[4];
    // The client may receive the error before it is in the log.
    until("one entry for both, and both counted", || {
        let cnc = running.cnc();
        (cnc.i32(entry + 4), cnc.i64(regions.counter_value(15))) == (2, 2)
    });
    let cnc = running.cnc();
    let length = cnc.i32(entry) as usize;
    let (last, first) = (cnc.i64(entry + 8), cnc.i64(entry + 16));
    assert!(first >= cnc.i64(32) && last >= first);
    let text = String::from_utf8_lossy(cnc.slice(entry + 24, length - 24)).into_owned();
    // The text is each driver's own.
    assert!(text.starts_with("(-1) ") || (kind == DriverKind::Gannet && text.starts_with("(1) ")), "{text}");
    assert_eq!(cnc.i32(entry + length.next_multiple_of(8)), 0, "the end of the log");
}

fn limits_move_in_steps_and_fall_back_without_readers(kind: DriverKind) {
    let running = Running::start(kind, DriverOptions::patient());
    let client = running.client();
    let publication = client.add_publication(CHANNEL, STREAM).unwrap();
    assert_eq!(publication.position_limit(), Ok(0), "no subscriber yet");
    let subscription = client.add_subscription(CHANNEL, STREAM).unwrap();
    until("the first subscriber opens the whole window", || publication.position_limit() == Ok(TERM_LENGTH / 2));
    for _ in 0..10 {
        publication.offer(&[5; 40]).unwrap();
    }
    drain(&subscription, 5);
    // The answer to a command shows that the driver has completed a duty cycle since.
    drop(client.add_counter(1100, b"", "a round").unwrap());
    assert_eq!(publication.position_limit(), Ok(TERM_LENGTH / 2), "trap 49: not for so little");
    drop(subscription);
    until("the limit falls back", || publication.position_limit() == Ok(480));
    assert_eq!(publication.position(), Ok(960));
    let registration_id = publication.facts().registration_id;
    until("what was read is cleaned", || running.log(registration_id).is_zero(0, 480));
    assert_eq!(running.log(registration_id).i32(480), 72);
    let late = client.add_subscription(CHANNEL, STREAM).unwrap();
    until("the next subscriber joins", || late.is_connected());
    assert_eq!(late.image(0).unwrap().facts().join_position, 480);
}
