//! Tests of the CnC file against values from real files, against its traps, and against damage.

use core::time::Duration;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::broadcast::Transmitter;
use crate::counters::{CounterSpec, CountersManager};
use crate::memory::{FileAccess, RawAccess, Reserve};
use crate::ringbuffer::RingConsumer;
use crate::time::EpochMillis;
use crate::types::{ClientId, SemanticVersion};

const NOW: EpochMillis = EpochMillis::new(1_800_000_000_000);
const TIMEOUT: Duration = Duration::from_secs(10);

fn defaults() -> CncParameters {
    CncParameters {
        to_driver_length: (1 << 20) + 768,
        to_clients_length: (1 << 20) + 128,
        counter_values_length: 8 << 20,
        error_log_length: 4 << 20,
        client_liveness_timeout: TIMEOUT,
        start_timestamp: NOW,
        pid: 4711,
        page_size: 4096,
    }
}

fn small() -> CncParameters {
    CncParameters {
        to_driver_length: 1024 + 768,
        to_clients_length: 1024 + 128,
        counter_values_length: 1024,
        error_log_length: 4096,
        ..defaults()
    }
}

fn create(directory: &Path, parameters: &CncParameters) -> CncFile {
    CncFile::create(directory, parameters, 0o600, Reserve::Space).unwrap()
}

fn open(directory: &Path) -> Result<CncFile, CncOpenError> {
    CncFile::open(directory, FileAccess::ReadWrite)
}

#[test]
fn the_regions_of_the_default_file_are_where_the_reference_has_them() {
    let layout = CncLayout::new(&defaults()).unwrap();
    let starts =
        [&layout.to_driver, &layout.to_clients, &layout.counter_metadata, &layout.counter_values, &layout.error_log]
            .map(|range| range.start);
    assert_eq!(starts, [128, 1_049_472, 2_098_176, 35_652_608, 44_041_216]);
    assert_eq!(layout.file_length, 48_238_592);
    let large_pages = CncParameters { page_size: 65_536, ..defaults() };
    assert_eq!(CncLayout::new(&large_pages).unwrap().file_length, 48_300_032);
    let java = CncParameters { counter_values_length: 1 << 20, error_log_length: 1 << 20, ..defaults() };
    let layout = CncLayout::new(&java).unwrap();
    assert_eq!((layout.counter_values.start, layout.error_log.start), (6_292_480, 7_341_056));
    assert_eq!(layout.file_length, 8_392_704);
}

/// A whole new file, byte by byte where it says anything.
#[test]
fn a_new_file_holds_what_the_reference_stores() {
    let dir = tempfile::tempdir().unwrap();
    let cnc = create(dir.path(), &defaults());
    cnc.commands().next_correlation_id();
    cnc.commands().set_consumer_heartbeat(NOW);
    cnc.make_ready();
    let bytes = fs::read(dir.path().join("cnc.dat")).unwrap();
    assert_eq!(bytes.len(), 48_238_592);
    let i32_at = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let i64_at = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!([0, 4, 8, 12, 16, 20].map(i32_at), [512, 1_049_344, 1_048_704, 33_554_432, 8_388_608, 4_194_304]);
    assert_eq!([24, 32, 40].map(i64_at), [10_000_000_000, NOW.get(), 4711]);
    assert_eq!(i32_at(48), 4096);
    assert_eq!(bytes[52..128], [0; 76]);
    assert_eq!((i64_at(1_049_216), i64_at(1_049_344)), (1, NOW.get()));
    let spoken_for = |at: usize| at < 128 || (1_049_216..1_049_352).contains(&at);
    assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == 0 || spoken_for(at)));
}

#[test]
fn trap_01_the_version_is_what_makes_the_file_usable() {
    let dir = tempfile::tempdir().unwrap();
    let cnc = create(dir.path(), &small());
    assert_eq!(cnc.version(), SemanticVersion::default());
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, CncOpenError::NotReady { .. }) && error.may_pass(), "{error}");
    let mut counters = CountersManager::new(
        cnc.counter_metadata(RawAccess::ENGINE),
        cnc.counter_values(RawAccess::ENGINE),
        Duration::from_secs(1),
    )
    .unwrap();
    counters.allocate(NOW, &CounterSpec::client_heartbeat(ClientId::new(5))).unwrap();
    cnc.commands().set_consumer_heartbeat(NOW);
    cnc.make_ready();

    let client = open(dir.path()).unwrap();
    assert_eq!(client.version(), CNC_VERSION);
    assert_eq!((client.pid(), client.start_timestamp()), (4711, NOW));
    assert_eq!(client.client_liveness_timeout(), TIMEOUT);
    assert!(client.driver_state(NOW, TIMEOUT).is_active());
    let mut labels = Vec::new();
    client.counters().for_each(|counter| labels.push(counter.label.to_string()));
    assert_eq!(labels, ["client-heartbeat: id=5"]);
    // And the queues reach from one mapping to the other.
    let mut events = client.events();
    client.commands().write(3, b"command").unwrap();
    assert_eq!(
        RingConsumer::new(&cnc.to_driver(RawAccess::ENGINE))
            .unwrap()
            .read(9, |_, command| assert_eq!(command, b"command")),
        1
    );
    Transmitter::new(&cnc.to_clients(RawAccess::ENGINE)).unwrap().transmit(4, b"event").unwrap();
    assert_eq!(events.receive(|_, event| assert_eq!(event, b"event")), Ok(1));
}

#[test]
fn trap_02_a_client_survives_every_state_of_a_starting_or_dead_driver() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CNC_FILE_NAME);
    let passing = |found: Result<CncFile, CncOpenError>| {
        let error = found.unwrap_err();
        assert!(error.may_pass(), "{error}");
        error.to_string()
    };
    assert!(passing(open(dir.path())).contains("there is no "));
    assert!(passing(open(&dir.path().join("no such directory"))).contains("there is no "));
    fs::write(&path, []).unwrap();
    assert!(passing(open(dir.path())).contains("it is 0 bytes long"));
    fs::write(&path, [0; 128]).unwrap();
    assert!(passing(open(dir.path())).contains("it is 128 bytes long"));
    fs::write(&path, [0; 4096]).unwrap();
    assert!(passing(open(dir.path())).contains("has no version yet"));

    fs::remove_file(&path).unwrap();
    let dead = create(dir.path(), &small());
    dead.make_ready();
    assert_eq!(open(dir.path()).unwrap().driver_state(NOW, TIMEOUT), DriverState::Starting);
    dead.commands().set_consumer_heartbeat(NOW);
    let waiting = open(dir.path()).unwrap();
    let later = EpochMillis::new(NOW.get() + 10_001);
    assert_eq!(waiting.driver_state(later, TIMEOUT), DriverState::Silent { age_ms: 10_001 });

    // A version without the rest of the file: it is being written, or was cut short.
    let whole = fs::read(&path).unwrap();
    fs::write(dir.path().join("cut"), &whole[..4096]).unwrap();
    fs::remove_file(&path).unwrap();
    fs::rename(dir.path().join("cut"), &path).unwrap();
    assert!(passing(open(dir.path())).contains("it is 4096 bytes long and"));

    // Replaced while the client still looks at the old one, which stays what it was.
    fs::remove_file(&path).unwrap();
    let new = create(dir.path(), &CncParameters { pid: 4712, ..small() });
    new.commands().set_consumer_heartbeat(later);
    new.make_ready();
    assert_eq!(waiting.driver_state(later, TIMEOUT), DriverState::Silent { age_ms: 10_001 });
    let found = open(dir.path()).unwrap();
    assert_eq!((found.pid(), found.driver_state(later, TIMEOUT)), (4712, DriverState::Alive { age_ms: 0 }));
}

#[test]
fn trap_04_a_page_size_of_zero_is_that_of_an_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let cnc = create(dir.path(), &small());
    cnc.make_ready();
    cnc.header(RawAccess::ENGINE).word_at::<i32>(48).store_relaxed(0);
    assert!(open(dir.path()).is_ok());
    for damaged in [1, 4095, 5000, -4096, i32::MIN] {
        cnc.header(RawAccess::ENGINE).word_at::<i32>(48).store_relaxed(damaged);
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, CncOpenError::Damaged { .. }) && !error.may_pass(), "{error}");
    }
}

#[test]
fn trap_05_a_driver_that_shut_down_is_not_active() {
    let dir = tempfile::tempdir().unwrap();
    let cnc = create(dir.path(), &small());
    cnc.commands().set_consumer_heartbeat(DriverState::SHUT_DOWN_HEARTBEAT);
    cnc.make_ready();
    let tool = CncFile::open(dir.path(), FileAccess::ReadOnly).unwrap();
    assert_eq!(tool.driver_state(NOW, TIMEOUT), DriverState::ShutDown);
    assert!(!tool.driver_state(EpochMillis::new(0), TIMEOUT).is_active());
}

#[test]
fn a_driver_is_alive_up_to_its_timeout() {
    let judge = |heartbeat, now| DriverState::judge(EpochMillis::new(heartbeat), EpochMillis::new(now), TIMEOUT);
    assert_eq!(judge(0, 5), DriverState::Starting);
    assert_eq!(judge(1_000, 11_000), DriverState::Alive { age_ms: 10_000 });
    assert_eq!(judge(1_000, 11_001), DriverState::Silent { age_ms: 10_001 });
    assert_eq!(judge(5_000, 1_000), DriverState::Alive { age_ms: -4_000 });
    assert_eq!(judge(11_000, 1_000), DriverState::Alive { age_ms: -10_000 });
    assert_eq!(judge(11_001, 1_000), DriverState::Ahead { ahead_ms: 10_001 });
    assert_eq!(judge(i64::MAX, i64::MIN), DriverState::Ahead { ahead_ms: i64::MAX });
    assert_eq!(judge(i64::MIN, i64::MAX), DriverState::Silent { age_ms: i64::MAX });
    assert_eq!(judge(-1, -1), DriverState::ShutDown);
}

#[test]
fn another_major_version_is_refused_and_another_minor_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let cnc = create(dir.path(), &small());
    let version = cnc.header(RawAccess::ENGINE);
    version.word_at::<i32>(0).store_release(SemanticVersion::new(1, 0, 0).bits());
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, CncOpenError::Incompatible { .. }) && !error.may_pass());
    assert!(error.to_string().contains("is of version 1.0.0, and this software understands 0.2.0"), "{error}");
    version.word_at::<i32>(0).store_release(-512);
    assert!(matches!(open(dir.path()).unwrap_err(), CncOpenError::Incompatible { .. }));
    version.word_at::<i32>(0).store_release(SemanticVersion::new(0, 3, 1).bits());
    assert!(open(dir.path()).is_ok());
}

#[test]
fn impossible_lengths_are_refused_by_name() {
    let refused = |parameters: CncParameters| CncLayout::new(&parameters).unwrap_err().to_string();
    let error = refused(CncParameters { to_driver_length: 1 << 20, ..defaults() });
    assert!(error.starts_with("the length of the to-driver buffer cannot be 1048576"), "{error}");
    let error = refused(CncParameters { to_clients_length: 127, ..defaults() });
    assert!(error.starts_with("the length of the to-clients buffer cannot be 127"), "{error}");
    let error = refused(CncParameters { counter_values_length: 1 << 30, ..defaults() });
    assert!(error.starts_with("the length of the counters cannot be 4294967296"), "{error}");
    let error = refused(CncParameters { error_log_length: i32::MAX as usize, ..defaults() });
    assert!(error.starts_with("the length of the file cannot be"), "{error}");
    let error = refused(CncParameters { page_size: 1000, ..defaults() });
    assert!(error.starts_with("the page size cannot be 1000"), "{error}");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), &small()).make_ready();
    let error = CncFile::create(dir.path(), &small(), 0o600, Reserve::Space).unwrap_err();
    assert!(matches!(error, CncCreateError::Map(_)), "{error}");
    assert!(open(dir.path()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any header at all over a file of any length: a file whose every region is within it, or an error.
    #[test]
    fn survives_any_header(
        bytes in prop::collection::vec(any::<u8>(), 128),
        lengths in prop::array::uniform5(prop_oneof![
            any::<i32>(),
            (6..20_u32).prop_map(|shift| (1 << shift) + 768),
            (6..20_u32).prop_map(|shift| (1 << shift) + 128),
            (6..20_u32).prop_map(|shift| 1 << shift),
        ]),
        version in prop_oneof![4 => Just(512), 1 => any::<i32>()],
        page_size in prop_oneof![Just(0), Just(4096), any::<i32>()],
        timeout in prop_oneof![Just(1_i64), any::<i64>()],
        file_length in 0..200_000_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut file = bytes;
        file[0..4].copy_from_slice(&version.to_le_bytes());
        for (at, length) in (4..).step_by(4).zip(lengths) {
            file[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        file[24..32].copy_from_slice(&timeout.to_le_bytes());
        file[48..52].copy_from_slice(&page_size.to_le_bytes());
        file.resize(file_length, 0xA5);
        fs::write(dir.path().join(CNC_FILE_NAME), file).unwrap();
        if let Ok(cnc) = CncFile::open(dir.path(), FileAccess::ReadOnly) {
            let _ = cnc.driver_state(NOW, TIMEOUT);
            let _ = cnc.commands().write(1, b"command");
            let _ = cnc.events().receive(|_, _| ());
            cnc.counters().for_each(|counter| drop(counter.label.to_string()));
            prop_assert!(cnc.error_log(RawAccess::ENGINE).len() <= file_length);
        }
    }
}
