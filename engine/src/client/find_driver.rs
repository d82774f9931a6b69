//! Looking for a driver in a directory: one look of the connect algorithm, and the loop around it that a new client waits in.
//! The conductor takes single looks through [`FindDriver`]; it never waits here.

use core::time::Duration;
use std::path::PathBuf;

use super::driver_link::{DriverIdentity, DriverLink, LinkParts};
use super::error::ConnectError;
use crate::agent::IdleStrategy;
use crate::cnc::{CncFile, DriverState};
use crate::memory::FileAccess;
use crate::time::{Clock, EpochMillis};

/// Where a conductor looks for a driver.
pub(crate) trait FindDriver: Send {
    /// Looks once.
    ///
    /// # Errors
    ///
    /// What waiting will not change.
    fn find(&mut self, now: EpochMillis) -> Result<Found, ConnectError>;
}

/// What a look found.
pub(crate) enum Found {
    /// A driver that lives.
    Driver(Box<DriverLink>),
    /// None, or not yet.
    NotYet(Missing),
}

/// What was there instead of a driver that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No complete CnC file; the text says what was there.
    Files(String),
    /// The heartbeat of a driver that is gone: its age, unless it was shut down.
    Heartbeat(Option<i64>),
}

/// The driver's directory.
pub(super) struct DriverDirectory {
    pub(super) dir: PathBuf,
    pub(super) driver_timeout: Duration,
}

impl FindDriver for DriverDirectory {
    fn find(&mut self, now: EpochMillis) -> Result<Found, ConnectError> {
        let cnc = match CncFile::open(&self.dir, FileAccess::ReadWrite) {
            Ok(cnc) => cnc,
            Err(error) if error.may_pass() => return Ok(Found::NotYet(Missing::Files(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        let missing = match cnc.driver_state(now, self.driver_timeout) {
            DriverState::Alive { .. } => {
                return Ok(Found::Driver(Box::new(DriverLink::new(LinkParts {
                    to_driver: cnc.commands(),
                    events: cnc.events(),
                    counters: cnc.counters(),
                    bells: cnc.header(),
                    identity: DriverIdentity { pid: cnc.pid(), start_timestamp_ms: cnc.start_timestamp().get() },
                    liveness_timeout: cnc.client_liveness_timeout(),
                }))));
            }
            DriverState::Starting => {
                Missing::Files(format!("the driver of {} has not shown life yet", self.dir.display()))
            }
            DriverState::Silent { age_ms } => Missing::Heartbeat(Some(age_ms)),
            DriverState::ShutDown => Missing::Heartbeat(None),
        };
        Ok(Found::NotYet(missing))
    }
}

/// Waits for a driver, up to the driver timeout: it may only be starting, or a dead one's files may be about to be replaced
/// (trap 2).
pub(super) fn wait_for_driver(directory: &mut DriverDirectory, clock: &dyn Clock) -> Result<DriverLink, ConnectError> {
    let timeout_ns = i64::try_from(directory.driver_timeout.as_nanos()).unwrap_or(i64::MAX);
    let deadline = clock.monotonic().saturating_add_ns(timeout_ns);
    loop {
        let missing = match directory.find(clock.epoch())? {
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
