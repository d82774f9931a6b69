//! A client of a media driver, and how it lost its driver. `pub`, `sub`, `record` and `replay` all connect here, so
//! that each reports a missing or lost driver in the same way.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use gannet::cnc::{CncFile, DriverState};
use gannet::memory::FileAccess;
use gannet::time::{Clock, SystemClock};
use gannet::{Client, ClientEvent, Context, DriverLoss};

use super::stop::Stop;
use super::target::advise_on_driver;
use super::values::positive_duration;

/// The longest time until a request to stop is noticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// How long to wait for a driver before a message says so.
const QUIET: Duration = Duration::from_secs(1);
/// How long after a failure to wait for the client to report how it lost a driver that is gone. A client checks its
/// driver twice a second.
const AFTERTHOUGHT: Duration = Duration::from_secs(60);

/// How patient a client is with its driver.
#[derive(Debug, Clone, Args)]
pub(crate) struct DriverPatience {
    /// How long to wait for a driver to appear, and how long it may be silent [default: $AERON_DRIVER_TIMEOUT, in
    /// milliseconds, or 10s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    driver_timeout: Option<Duration>,
}

/// A client, and how it lost its driver if it did.
pub(crate) struct Connection {
    client: Client,
    dir: PathBuf,
    lost: Arc<OnceLock<String>>,
}

impl Connection {
    /// Waits for the driver in `dir`, and for what `add` asks it for. If that takes a while, a message on the terminal
    /// says so. `None` if the user wants to stop before the driver has answered.
    pub(crate) fn open<T: Send + 'static>(
        dir: &Path,
        patience: &DriverPatience,
        client_name: &str,
        stop: &Stop,
        add: impl FnOnce(&Client) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<Option<(Self, T)>> {
        let lost = Arc::new(OnceLock::new());
        let mut context = Context::from_environment()?.dir(dir).client_name(client_name).on_event({
            let (lost, dir) = (Arc::clone(&lost), dir.to_owned());
            move |event| {
                // The first event is the cause; later ones may only follow from it.
                if let Some(words) = loss(event, &dir) {
                    let _ = lost.set(words);
                }
            }
        });
        if let Some(timeout) = patience.driver_timeout {
            context = context.driver_timeout(timeout);
        }
        let _is_over = tell_of_waiting(dir);
        // A client cannot be told to stop waiting. The end of the process ends the thread.
        let (sender, answer) = channel();
        let dir = dir.to_owned();
        thread::Builder::new().name("connect".to_owned()).spawn(move || {
            let connect = || {
                let client = Client::connect(context).map_err(|error| advise_on_driver(error.into(), &dir, None))?;
                let connection = Self { client, dir, lost };
                let added = add(connection.client()).map_err(|error| connection.explain(error))?;
                Ok((connection, added))
            };
            let _ = sender.send(connect());
        })?;
        while !stop.is_wanted() {
            match answer.recv_timeout(ATTENTION) {
                Ok(answer) => return answer.map(Some),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the thread that connects has failed")),
            }
        }
        Ok(None)
    }

    /// The client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How the client lost its driver. No more data is sent or received then. Known a moment after everything was
    /// closed.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Whether the driver is gone or has timed the client out, even if the client has not been told yet.
    fn is_losing(&self) -> bool {
        let state = |cnc: CncFile| cnc.driver_state(SystemClock.epoch(), Duration::MAX);
        let is_shut_down = match CncFile::open(&self.dir, FileAccess::ReadOnly).map(state) {
            Ok(state) => state == DriverState::ShutDown,
            Err(_) => true,
        };
        is_shut_down || !self.client.is_connected()
    }

    /// How the client lost its driver, if that is why something has ended. Waits until that is known.
    pub(crate) fn loss_behind_an_end(&self) -> Option<&str> {
        let deadline = Instant::now() + AFTERTHOUGHT;
        while self.lost().is_none() && self.is_losing() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        self.lost()
    }

    /// The error to report: the loss of the driver if that caused `error`, else `error` itself.
    pub(crate) fn explain(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        self.loss_behind_an_end().map_or_else(|| error.into(), |lost| anyhow!("{lost}"))
    }
}

/// Reports on a terminal that the command waits for a driver, unless the returned value is dropped within [`QUIET`].
fn tell_of_waiting(dir: &Path) -> Option<Sender<()>> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let (is_over, over) = channel();
    let dir: PathBuf = dir.to_owned();
    thread::spawn(move || {
        if over.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
            crate::cli::tell(format_args!("waiting for a driver in {}", dir.display()));
        }
    });
    Some(is_over)
}

/// How an event took the driver away. `None` for an event that did not.
fn loss(event: &ClientEvent, dir: &Path) -> Option<String> {
    let driver = format!("the driver in {}", dir.display());
    let seconds = |duration: &Duration| format!("{:.1} s", duration.as_secs_f64());
    Some(match event {
        ClientEvent::DriverLost { cause: DriverLoss::ShutDown, .. } => format!("{driver} was shut down"),
        ClientEvent::DriverLost { silent_for, .. } => format!("{driver} has been silent for {}", seconds(silent_for)),
        ClientEvent::DriverRestarted { pid, .. } => format!("{driver} was started anew, as process {pid}"),
        ClientEvent::TimedOut { .. } => {
            format!("{driver} gave this client up: it saw no sign of life of it for too long")
        }
        ClientEvent::Paused { lasted, allowed } => format!(
            "{driver} gave this client up after {}, or is about to: this process did not run for {}",
            seconds(allowed),
            seconds(lasted)
        ),
        ClientEvent::Closed => "the client is closed".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_says_which_driver_and_how() {
        let words = |event| loss(&event, Path::new("/d")).expect("a loss");
        let seconds = Duration::from_secs_f64;
        let lost = |cause, silent_s| ClientEvent::DriverLost { cause, silent_for: seconds(silent_s) };
        assert_eq!(words(lost(DriverLoss::ShutDown, 0.1)), "the driver in /d was shut down");
        assert_eq!(words(lost(DriverLoss::Silent, 10.21)), "the driver in /d has been silent for 10.2 s");
        let restarted = ClientEvent::DriverRestarted { down_for: seconds(3.0), pid: 12 };
        assert_eq!(words(restarted), "the driver in /d was started anew, as process 12");
        let paused = words(ClientEvent::Paused { lasted: seconds(12.0), allowed: seconds(10.0) });
        assert!(paused.starts_with("the driver in /d gave this client up after 10.0 s"), "{paused}");
        assert!(paused.ends_with("did not run for 12.0 s"), "{paused}");
    }

    #[test]
    fn what_is_no_loss_is_not_called_one() {
        let event = ClientEvent::Reconnected { epoch: 1, after: QUIET, restored: 1, failed: 0 };
        assert_eq!(loss(&event, Path::new("/d")), None);
    }
}
