//! What signals mean to the process: a wish to stop in good order, and, when that is uttered twice, to end at once.

use std::io;
use std::os::raw::c_int;

use gannet::time::{Clock, SystemClock};
use gannet_driver::{StopHandle, StopWish};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, signal_name};
use tracing::info;

/// The signals that are watched for from now on.
pub(crate) struct Watched(Signals);

impl Watched {
    /// Starts to watch. SIGHUP, which a terminal sends when it is closed, is left alone by a process that was started to ignore it, as by
    /// `nohup`.
    pub(crate) fn start() -> io::Result<Self> {
        let signals = Signals::new([SIGTERM, SIGINT])?;
        if !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        Ok(Self(signals))
    }

    /// Has the first of them stop the driver, and a later SIGTERM or SIGINT end the process as if nobody had watched. SIGHUP does not: who
    /// closes a terminal or ends a session sends it beside others, or twice.
    pub(crate) fn stop(mut self, stop: StopHandle) -> io::Result<()> {
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut wish = StopWish::default();
            for signal in self.0.forever() {
                if signal != SIGHUP && wish.is_uttered_again(SystemClock.monotonic()) {
                    let _ = emulate_default_handler(signal);
                }
                info!("received {}", signal_name(signal).unwrap_or("a signal"));
                stop.stop();
            }
        })?;
        Ok(())
    }
}

/// Whether this process ignores a signal. The system's list says so; where there is none, nobody is known to have asked for it.
fn is_ignored(signal: c_int) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Whether the status of a process has the signal among those that it ignores: in hexadecimal digits, the first signal last.
fn ignores(status: &str, signal: c_int) -> bool {
    let digits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = digits.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_a_status() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000004001\nSigCgt:\tffffffffffffffff\n";
        assert!(ignores(status, SIGHUP) && ignores(status, SIGTERM));
        assert!(!ignores(status, SIGINT));
        assert!(!ignores("Name:\tx\n", SIGHUP) && !ignores("SigIgn:\tx\n", SIGHUP));
    }
}
