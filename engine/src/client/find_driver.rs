//! Finding a driver in a directory: one attempt of the connect algorithm, and the loop of attempts in which a new
//! client waits. The conductor makes single attempts through [`FindDriver`] and never waits here.

use core::time::Duration;
use std::path::PathBuf;

use super::context::DriverInvoker;
use super::driver_link::{DriverIdentity, DriverLink, LinkParts};
use super::error::ConnectError;
use crate::agent::IdleStrategy;
use crate::cnc::{CncFile, DriverState, DriverWatch};
use crate::memory::{FileAccess, RawAccess};
use crate::time::{Clock, EpochMillis, MonotonicNanos};

/// Where a conductor looks for a driver.
pub(crate) trait FindDriver: Send {
    /// Looks for a driver once.
    ///
    /// # Errors
    ///
    /// A permanent error, which waiting does not resolve.
    fn find(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> Result<Found, ConnectError>;
}

/// The result of looking for a driver.
pub(crate) enum Found {
    /// A driver that is alive.
    Driver(Box<DriverLink>),
    /// No driver, or not yet.
    NotYet(Missing),
}

/// What was found instead of a driver that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No complete CnC file. The text describes what was found.
    Files(String),
    /// The heartbeat of a driver that is gone: its age, or `None` if the driver was shut down. Negative for a heartbeat in
    /// the future, whose driver has not shown yet that it is alive.
    Heartbeat(Option<i64>),
}

/// The driver's directory.
pub(super) struct DriverDirectory {
    dir: PathBuf,
    driver_timeout: Duration,
    watch: DriverWatch,
}

impl DriverDirectory {
    pub(super) fn new(dir: PathBuf, driver_timeout: Duration) -> Self {
        Self { dir, driver_timeout, watch: DriverWatch::new(driver_timeout) }
    }
}

impl FindDriver for DriverDirectory {
    fn find(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> Result<Found, ConnectError> {
        let cnc = match CncFile::open(&self.dir, FileAccess::ReadWrite) {
            Ok(cnc) => cnc,
            Err(error) if error.may_pass() => return Ok(Found::NotYet(Missing::Files(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        let missing = match self.watch.judge(cnc.heartbeat(), now_ms, now) {
            DriverState::Alive { .. } => {
                return Ok(Found::Driver(Box::new(DriverLink::new(LinkParts {
                    to_driver: cnc.commands(),
                    events: cnc.events(),
                    counters: cnc.counters(),
                    bells: cnc.header(RawAccess::ENGINE),
                    identity: DriverIdentity { pid: cnc.pid(), start_timestamp_ms: cnc.start_timestamp().get() },
                    liveness_timeout: cnc.client_liveness_timeout(),
                }))));
            }
            DriverState::Starting => {
                Missing::Files(format!("the driver of {} has not shown life yet", self.dir.display()))
            }
            DriverState::Ahead { ahead_ms } => Missing::Heartbeat(Some(-ahead_ms)),
            DriverState::Silent { age_ms } => Missing::Heartbeat(Some(age_ms)),
            DriverState::ShutDown => Missing::Heartbeat(None),
        };
        Ok(Found::NotYet(missing))
    }
}

/// Waits for a driver, up to the driver timeout. The driver may still be starting, or about to replace a dead one's
/// files (trap 2).
pub(super) fn wait_for_driver(
    directory: &mut DriverDirectory,
    clock: &dyn Clock,
    invoker: &mut Option<DriverInvoker>,
) -> Result<DriverLink, ConnectError> {
    let timeout_ns = i64::try_from(directory.driver_timeout.as_nanos()).unwrap_or(i64::MAX);
    let deadline = clock.monotonic().saturating_add_ns(timeout_ns);
    loop {
        if let Some(invoke) = invoker {
            invoke();
        }
        let missing = match directory.find(clock.monotonic(), clock.epoch())? {
            Found::Driver(link) => return Ok(*link),
            Found::NotYet(missing) => missing,
        };
        let period_ns = match missing {
            Missing::Files(_) => 2_000_000,
            Missing::Heartbeat(_) => 20_000_000,
        };
        if clock.monotonic() >= deadline {
            let (dir, waited) = (directory.dir.clone(), directory.driver_timeout);
            return Err(match missing {
                Missing::Files(found) => ConnectError::NoDriver { dir, waited, found },
                Missing::Heartbeat(age_ms) => ConnectError::NoHeartbeat { dir, waited, age_ms },
            });
        }
        IdleStrategy::Sleep { period_ns }.idle_once();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::BROADCAST_TRAILER_LENGTH;
    use crate::cnc::{CNC_FILE_NAME, CncOpenError, CncParameters};
    use crate::memory::Reserve;
    use crate::ringbuffer::RING_TRAILER_LENGTH;
    use crate::time::SystemClock;

    const AT: MonotonicNanos = MonotonicNanos::new(0);

    /// As small as the layout allows, so that it is made quickly.
    fn parameters(start_timestamp: EpochMillis) -> CncParameters {
        CncParameters {
            to_driver_length: 1024 + RING_TRAILER_LENGTH,
            to_clients_length: 1024 + BROADCAST_TRAILER_LENGTH,
            counter_values_length: 1024,
            error_log_length: 1024,
            client_liveness_timeout: Duration::from_secs(10),
            start_timestamp,
            pid: 4711,
            page_size: 4096,
        }
    }

    fn missing(found: Result<Found, ConnectError>) -> Missing {
        match found {
            Ok(Found::NotYet(missing)) => missing,
            Ok(Found::Driver(_)) => panic!("a driver"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Trap 2: no file, an empty one, one without a version, one of a dead driver, and one that is replaced meanwhile.
    #[test]
    fn trap_02_a_driver_is_found_whatever_was_there_before() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("driver");
        let mut directory = DriverDirectory::new(dir.clone(), Duration::from_secs(10));
        let now = SystemClock.epoch();
        assert!(matches!(missing(directory.find(AT, now)), Missing::Files(_)), "no directory");
        std::fs::create_dir(&dir).unwrap();
        assert!(matches!(missing(directory.find(AT, now)), Missing::Files(_)), "no file");
        let path = dir.join(CNC_FILE_NAME);
        for length in [0, 127, 128, 4096] {
            std::fs::write(&path, vec![0; length]).unwrap();
            assert!(matches!(missing(directory.find(AT, now)), Missing::Files(_)), "{length} bytes");
        }
        let create = || {
            std::fs::remove_file(&path).unwrap();
            CncFile::create(&dir, &parameters(now), 0o600, Reserve::Space).unwrap()
        };
        let stale = create();
        assert!(matches!(missing(directory.find(AT, now)), Missing::Files(_)), "no version");
        stale.make_ready();
        assert!(matches!(missing(directory.find(AT, now)), Missing::Files(_)), "no heartbeat");
        let beat = |cnc: &CncFile, at: EpochMillis| cnc.commands().set_consumer_heartbeat(at);
        beat(&stale, now.saturating_add_ms(-11_000));
        assert_eq!(missing(directory.find(AT, now)), Missing::Heartbeat(Some(11_000)));
        beat(&stale, DriverState::SHUT_DOWN_HEARTBEAT);
        assert_eq!(missing(directory.find(AT, now)), Missing::Heartbeat(None));
        let live = create();
        beat(&live, now);
        live.make_ready();
        assert!(matches!(directory.find(AT, now), Ok(Found::Driver(_))));
    }

    /// It was stored before the wall clock was set back.
    #[test]
    fn the_driver_of_a_heartbeat_in_the_future_is_found_when_it_shows_life() {
        let temp = tempfile::tempdir().unwrap();
        let now = SystemClock.epoch();
        let cnc = CncFile::create(temp.path(), &parameters(now), 0o600, Reserve::Space).unwrap();
        cnc.make_ready();
        let mut directory = DriverDirectory::new(temp.path().to_owned(), Duration::from_secs(10));
        let second = |seconds: i64| MonotonicNanos::new(seconds * 1_000_000_000);
        cnc.commands().set_consumer_heartbeat(now.saturating_add_ms(3_600_000));
        assert_eq!(missing(directory.find(second(0), now)), Missing::Heartbeat(Some(-3_600_000)));
        assert_eq!(missing(directory.find(second(9), now)), Missing::Heartbeat(Some(-3_600_000)));
        assert_eq!(missing(directory.find(second(18), now)), Missing::Heartbeat(Some(18_000)), "it is dead");
        cnc.commands().set_consumer_heartbeat(now.saturating_add_ms(3_600_001));
        assert!(matches!(directory.find(second(19), now), Ok(Found::Driver(_))), "it was only slow");
    }

    #[test]
    fn a_file_of_another_version_is_no_use_waiting_for() {
        let temp = tempfile::tempdir().unwrap();
        let cnc = CncFile::create(temp.path(), &parameters(SystemClock.epoch()), 0o600, Reserve::Space).unwrap();
        cnc.header(RawAccess::ENGINE).word_at::<i32>(0).store_release(1 << 16);
        let driver_timeout = Duration::from_secs(3600);
        let mut directory = DriverDirectory::new(temp.path().to_owned(), driver_timeout);
        let error = wait_for_driver(&mut directory, &SystemClock, &mut None).err().unwrap();
        assert!(matches!(error, ConnectError::Cnc(CncOpenError::Incompatible { .. })), "{error}");
    }

    #[test]
    fn who_finds_no_driver_is_told_what_was_there() {
        let temp = tempfile::tempdir().unwrap();
        let driver_timeout = Duration::from_millis(5);
        let mut directory = DriverDirectory::new(temp.path().to_owned(), driver_timeout);
        let error = wait_for_driver(&mut directory, &SystemClock, &mut None).err().unwrap();
        assert!(error.to_string().contains("there is no "), "{error}");
        let cnc = CncFile::create(temp.path(), &parameters(SystemClock.epoch()), 0o600, Reserve::Space).unwrap();
        cnc.commands().set_consumer_heartbeat(DriverState::SHUT_DOWN_HEARTBEAT);
        cnc.make_ready();
        let error = wait_for_driver(&mut directory, &SystemClock, &mut None).err().unwrap();
        assert!(error.to_string().contains("was shut down"), "{error}");
        cnc.commands().set_consumer_heartbeat(EpochMillis::new(i64::MAX));
        let mut directory = DriverDirectory::new(temp.path().to_owned(), driver_timeout);
        let error = wait_for_driver(&mut directory, &SystemClock, &mut None).err().unwrap();
        assert!(matches!(error, ConnectError::NoHeartbeat { .. }), "{error}");
    }
}
