//! Asks a driver to terminate. This needs no client, only access to the driver's files.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use crate::cnc::{CNC_VERSION, CncFile, CncOpenError, DriverState};
use crate::command::{Command, TerminateDriver};
use crate::memory::FileAccess;
use crate::ringbuffer::RingWriteError;
use crate::time::{Clock, SystemClock};
use crate::types::{ClientId, SemanticVersion};

/// How old a heartbeat may be: what drivers are given when nothing is configured.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest token that every driver takes, in bytes.
const MAX_TOKEN_LENGTH: usize = 4096;

/// Why the driver was not asked to terminate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminationError {
    /// The directory has no driver's files, or they cannot be opened.
    #[error("cannot ask the driver of {} to terminate: {source}", dir.display())]
    Cnc {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with the file.
        source: CncOpenError,
    },
    /// No driver is running in the directory, so nobody would read the command.
    #[error("cannot ask the driver of {} to terminate: {}", dir.display(), NotRunning { pid: *pid, state: *state })]
    NotRunning {
        /// The directory.
        dir: PathBuf,
        /// The process id in the driver's files.
        pid: i64,
        /// The driver's state.
        state: DriverState,
    },
    /// The driver is too old to know the command.
    #[error(
        "cannot ask the driver of {} to terminate: its files are of version {found}, which does not know how; at least \
         {CNC_VERSION} is needed: send its process a signal",
        dir.display()
    )]
    TooOld {
        /// The directory.
        dir: PathBuf,
        /// The version of the driver's files.
        found: SemanticVersion,
    },
    /// The token is longer than drivers accept.
    #[error("a termination token of {length} bytes is longer than the {MAX_TOKEN_LENGTH} that drivers take")]
    TokenTooLong {
        /// The token's length in bytes.
        length: usize,
    },
    /// The command could not be put into the ring.
    #[error("cannot ask the driver of {} to terminate: {source}; send its process a signal", dir.display())]
    Ring {
        /// The directory.
        dir: PathBuf,
        /// Why the ring did not take it.
        source: RingWriteError,
    },
}

/// What became of a driver that does not run.
struct NotRunning {
    pid: i64,
    state: DriverState,
}

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            DriverState::ShutDown => f.write_str("it has been shut down"),
            DriverState::Silent { age_ms } => {
                let pid = self.pid;
                write!(
                    f,
                    "process {pid} has given no sign of life for {age_ms} ms; if it is still there, end it yourself"
                )
            }
            _ => f.write_str("it is still starting; try again"),
        }
    }
}

/// Asks the driver of this directory to terminate. The driver's termination validator decides whether it does, from
/// `token`. The default validator denies every request. The driver does not answer. A driver that has terminated leaves
/// [`DriverState::ShutDown`] behind, or no files.
///
/// ```
/// use gannet::{TerminationError, request_driver_termination};
///
/// let error = request_driver_termination("/nonexistent", b"").unwrap_err();
/// assert!(matches!(error, TerminationError::Cnc { .. }));
/// assert!(error.to_string().contains("there is no /nonexistent/cnc.dat"));
/// ```
///
/// # Errors
///
/// [`TerminationError`]; the driver was not asked.
pub fn request_driver_termination(dir: impl AsRef<Path>, token: &[u8]) -> Result<(), TerminationError> {
    let dir = dir.as_ref();
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(TerminationError::TokenTooLong { length: token.len() });
    }
    let cnc = CncFile::open(dir, FileAccess::ReadWrite)
        .map_err(|source| TerminationError::Cnc { dir: dir.to_owned(), source })?;
    let found = cnc.version();
    if found.minor() < CNC_VERSION.minor() {
        return Err(TerminationError::TooOld { dir: dir.to_owned(), found });
    }
    let state = cnc.driver_state(SystemClock.epoch(), DRIVER_TIMEOUT);
    if !state.is_active() {
        return Err(TerminationError::NotRunning { dir: dir.to_owned(), pid: cnc.pid(), state });
    }
    let commands = cnc.commands();
    let client_id = ClientId::new(commands.next_correlation_id().get());
    let correlation_id = commands.next_correlation_id();
    let command = Command::TerminateDriver(TerminateDriver { client_id, correlation_id, token });
    let mut bytes = vec![0; command.encoded_length()];
    let ring = |source| TerminationError::Ring { dir: dir.to_owned(), source };
    // The buffer is as long as the command says that it is.
    let length = command.encode(&mut bytes).unwrap_or(bytes.len());
    commands.write(command.type_id(), &bytes[..length]).map_err(ring)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::BROADCAST_TRAILER_LENGTH;
    use crate::cnc::CncParameters;
    use crate::memory::{RawAccess, Reserve};
    use crate::ringbuffer::{RING_TRAILER_LENGTH, RingConsumer};
    use crate::time::EpochMillis;

    fn driver(dir: &Path) -> CncFile {
        let parameters = CncParameters {
            to_driver_length: (64 << 10) + RING_TRAILER_LENGTH,
            to_clients_length: 1024 + BROADCAST_TRAILER_LENGTH,
            counter_values_length: 1024,
            error_log_length: 1024,
            client_liveness_timeout: Duration::from_secs(10),
            start_timestamp: SystemClock.epoch(),
            pid: 4711,
            page_size: 4096,
        };
        let cnc = CncFile::create(dir, &parameters, 0o600, Reserve::Space).expect("a new directory");
        cnc.make_ready();
        cnc
    }

    #[test]
    fn the_command_is_what_a_client_of_the_reference_sends() {
        let temp = tempfile::tempdir().expect("a directory");
        let cnc = driver(temp.path());
        cnc.commands().set_consumer_heartbeat(SystemClock.epoch());
        request_driver_termination(temp.path(), b"sesame").expect("it is asked");
        let mut consumer = RingConsumer::new(&cnc.to_driver(RawAccess::ENGINE)).expect("a ring");
        let read = consumer.read(10, |type_id, bytes| {
            assert_eq!((type_id, bytes.len()), (0x0E, 26));
            let Ok(Command::TerminateDriver(command)) = Command::decode(type_id, bytes) else {
                panic!("another command")
            };
            assert_eq!(command.token, b"sesame");
            assert_ne!(command.client_id.get(), command.correlation_id.get(), "both are fresh");
        });
        assert_eq!(read, 1);
        // Perhaps the clock was just set back.
        cnc.commands().set_consumer_heartbeat(SystemClock.epoch().saturating_add_ms(3_600_000));
        request_driver_termination(temp.path(), b"sesame").expect("it may be alive");
    }

    #[test]
    fn whom_nobody_would_hear_is_told_why() {
        let temp = tempfile::tempdir().expect("a directory");
        let asked = || request_driver_termination(temp.path(), b"").expect_err("nobody is there").to_string();
        assert!(asked().contains("there is no "), "{}", asked());
        let cnc = driver(temp.path());
        let beat = |at: EpochMillis| cnc.commands().set_consumer_heartbeat(at);
        assert!(asked().contains("still starting"), "{}", asked());
        beat(SystemClock.epoch().saturating_add_ms(-60_000));
        assert!(asked().contains("no sign of life for 60"), "{}", asked());
        beat(DriverState::SHUT_DOWN_HEARTBEAT);
        assert!(asked().contains("shut down"), "{}", asked());
        beat(SystemClock.epoch());
        cnc.header(RawAccess::ENGINE).word_at::<i32>(0).store_release(SemanticVersion::new(0, 1, 9).bits());
        assert!(asked().contains("version 0.1.9"), "{}", asked());
        let error = request_driver_termination(temp.path(), &[0; 4097]).expect_err("too long");
        assert!(matches!(error, TerminationError::TokenTooLong { length: 4097 }));
        assert_eq!(RingConsumer::new(&cnc.to_driver(RawAccess::ENGINE)).expect("a ring").read(10, |_, _| ()), 0);
    }
}
