//! Creates the files that the driver shares with its clients: the command file with its rings, counters and error log,
//! and the loss report, in the order on which clients rely. Called once, at start.

use gannet::broadcast::{BroadcastBufferError, Transmitter};
use gannet::cnc::{CncCreateError, CncFile, CncParameters};
use gannet::counters::{CounterSpec, CountersError, CountersFull, CountersManager, SystemCounter, SystemLabels};
use gannet::memory::{MapError, Reserve};
use gannet::quantity::format_duration_ns;
use gannet::reports::{ErrorLog, LossReport};
use gannet::ringbuffer::{RingBufferError, RingConsumer};
use gannet::time::{Clock, EpochMillis};
use gannet::types::SemanticVersion;

use super::conductor_config::ns;
use crate::conductor::ConductorParts;
use crate::config::DriverConfig;
use crate::io::directory::DriverDirectory;
use crate::raw_access::RAW;

/// The version of this software.
const VERSION: SemanticVersion = SemanticVersion::new(
    part(env!("CARGO_PKG_VERSION_MAJOR")),
    part(env!("CARGO_PKG_VERSION_MINOR")),
    part(env!("CARGO_PKG_VERSION_PATCH")),
);
/// The version of commands and events. Clients use it to check whether they can ask for session ids (trap 38).
const CONTROL_PROTOCOL_VERSION: SemanticVersion = SemanticVersion::new(1, 0, 0);

/// The driver's shared memory, not announced to clients yet.
#[derive(Debug)]
pub(super) struct SharedMemory {
    cnc: CncFile,
    pub(super) parts: ConductorParts,
}

/// Why the driver's shared memory could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedMemoryError {
    /// The command file could not be created.
    #[error(transparent)]
    Cnc(#[from] CncCreateError),
    /// The loss report could not be created.
    #[error(transparent)]
    LossReport(#[from] MapError),
    /// The command ring does not fit into its region.
    #[error(transparent)]
    Commands(#[from] RingBufferError),
    /// The broadcast buffer does not fit into its region.
    #[error(transparent)]
    Events(#[from] BroadcastBufferError),
    /// The counters do not fit into their regions.
    #[error(transparent)]
    Counters(#[from] CountersError),
    /// There is no space for the driver's own counters.
    #[error(transparent)]
    CountersFull(#[from] CountersFull),
}

impl SharedMemory {
    /// Creates the files in `directory`, with everything except what [`SharedMemory::announce`] adds.
    pub(super) fn create(
        config: &DriverConfig,
        directory: &DriverDirectory,
        clock: &impl Clock,
        transport: &str,
    ) -> Result<Self, SharedMemoryError> {
        let DriverConfig { buffers, timeouts, .. } = config;
        let now = clock.epoch();
        let parameters = CncParameters {
            to_driver_length: buffers.to_driver_length.as_usize(),
            to_clients_length: buffers.to_clients_length.as_usize(),
            counter_values_length: buffers.counter_values_length.as_usize(),
            error_log_length: buffers.error_log_length.as_usize(),
            client_liveness_timeout: timeouts.client_liveness,
            start_timestamp: now,
            pid: std::process::id().into(),
            page_size: config.directory.file_page_size.as_usize(),
        };
        let cnc = CncFile::create(directory.path(), &parameters, directory.file_mode(), Reserve::SpaceAndPages)?;
        let page_size = config.directory.file_page_size.get();
        let loss_report_length = buffers.loss_report_length.get().next_multiple_of(page_size);
        let losses = LossReport::create(&directory.loss_report_file(), loss_report_length, directory.file_mode())?;

        let mapped_bytes = i64::try_from(cnc.length() as u64 + loss_report_length).unwrap_or(i64::MAX);
        let counters = system_counters(config, &cnc, now, mapped_bytes, transport)?;
        let parts = ConductorParts {
            commands: RingConsumer::new(&cnc.to_driver(RAW))?,
            events: Transmitter::new(&cnc.to_clients(RAW))?,
            counters,
            errors: ErrorLog::new(cnc.error_log(RAW)),
            losses,
        };
        Ok(Self { cnc, parts })
    }

    /// Announces the files to clients, which may use everything from here on. Returns the conductor's parts.
    pub(super) fn announce(self, clock: &impl Clock) -> ConductorParts {
        let commands = self.cnc.commands();
        // 0 is no client's id, so the first client gets 1.
        commands.next_correlation_id();
        commands.set_consumer_heartbeat(clock.epoch());
        self.cnc.make_ready();
        self.parts
    }
}

/// Allocates the system counters first, so that each has its number as its id.
fn system_counters(
    config: &DriverConfig,
    cnc: &CncFile,
    now: EpochMillis,
    mapped_bytes: i64,
    transport: &str,
) -> Result<CountersManager, SharedMemoryError> {
    let timeouts = &config.timeouts;
    let threshold = |duration| format_duration_ns(ns(duration));
    // Tools of the reference have no place for transport and profile. All of them show this label, and none parses it.
    let commit = format!("{} transport={} profile={}", crate::COMMIT, transport, config.process.profile);
    let labels = SystemLabels {
        version: env!("CARGO_PKG_VERSION"),
        commit: &commit,
        threading_mode: config.threads.mode.as_str(),
        resolver_name: &config.resolver.name,
        conductor_threshold: &threshold(timeouts.conductor_cycle_threshold),
        sender_threshold: &threshold(timeouts.sender_cycle_threshold),
        receiver_threshold: &threshold(timeouts.receiver_cycle_threshold),
        resolver_threshold: &threshold(timeouts.name_resolver_threshold),
    };
    let mut counters =
        CountersManager::new(cnc.counter_metadata(RAW), cnc.counter_values(RAW), timeouts.counter_free_to_reuse)?;
    for counter in SystemCounter::ALL {
        let value = match counter {
            SystemCounter::SoftwareVersion => VERSION.bits().into(),
            SystemCounter::ControlProtocolVersion => CONTROL_PROTOCOL_VERSION.bits().into(),
            SystemCounter::BytesCurrentlyMapped => mapped_bytes,
            _ => 0,
        };
        counters.allocate(now, &CounterSpec::system(counter, &labels).starting_at(value))?;
    }
    Ok(counters)
}

/// One part of a version, parsed from its text.
const fn part(text: &str) -> u8 {
    match u8::from_str_radix(text, 10) {
        Ok(part) => part,
        Err(_) => panic!("a part of the version is a number below 256"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gannet::memory::FileAccess;
    use gannet::time::{ManualClock, MonotonicNanos, SystemClock};
    use gannet::types::CounterId;

    use super::*;
    use crate::config::{ByteLength, Profile};
    use crate::io::directory::DirectoryRequest;

    const NOW: EpochMillis = EpochMillis::new(1_795_229_969_484);

    fn created(path: &Path, config: &mut DriverConfig) -> (DriverDirectory, SharedMemory) {
        config.directory.dir = Some(path.to_owned());
        let directory = DriverDirectory::take(&DirectoryRequest::of(config), &SystemClock).unwrap();
        let clock = ManualClock::new(MonotonicNanos::new(0), NOW);
        let memory = SharedMemory::create(config, &directory, &clock, "sockets").unwrap();
        (directory, memory)
    }

    /// What clients find, before and after the announcement.
    #[test]
    fn trap_01_nothing_is_usable_before_all_of_it_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let (_directory, memory) = created(temp.path(), &mut DriverConfig::default());
        assert!(CncFile::open(temp.path(), FileAccess::ReadWrite).unwrap_err().may_pass());
        let clock = ManualClock::new(MonotonicNanos::new(0), NOW);
        let _parts = memory.announce(&clock);
        let cnc = CncFile::open(temp.path(), FileAccess::ReadWrite).unwrap();
        assert_eq!(cnc.length(), 48_238_592);
        assert_eq!(cnc.commands().consumer_heartbeat(), NOW);
        assert_eq!((cnc.pid(), cnc.start_timestamp()), (std::process::id().into(), NOW));
        let counters = cnc.counters();
        let value = |counter: SystemCounter| counters.value(counter.id()).unwrap();
        assert_eq!(value(SystemCounter::BytesCurrentlyMapped), 49_287_168);
        assert_eq!(value(SystemCounter::ControlProtocolVersion), 65_536);
        assert_eq!(cnc.commands().next_correlation_id().get(), 1, "the first client's id");
        assert_eq!(std::fs::metadata(temp.path().join("loss-report.dat")).unwrap().len(), 1 << 20);
    }

    #[test]
    fn labels_say_how_the_driver_runs() {
        let temp = tempfile::tempdir().unwrap();
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.buffers.counter_values_length = ByteLength::new(1 << 20);
        let (_directory, memory) = created(temp.path(), &mut config);
        let counters = memory.parts.counters.reader();
        let label = |id| counters.get(CounterId::new(id)).unwrap().label.to_string();
        assert_eq!(label(27), "Conductor work cycle exceeded threshold count: threshold=100ms SHARED");
        assert!(label(34).starts_with("Aeron software: version=0."), "{}", label(34));
        assert!(label(34).ends_with(" transport=sockets profile=frugal"), "{}", label(34));
    }
}
