//! Signals to a process of Gannet. The first is a request to stop cleanly, a second one ends the process at once. The
//! driver and the commands that stop cleanly use this, so they all react in the same way.
#![expect(clippy::disallowed_methods, reason = "an edge: asks the system which signals this process ignores")]

use std::io;
use std::os::raw::c_int;

use gannet::time::{Clock, MonotonicNanos, SystemClock};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, signal_name};

/// Signals within this time after the first one count as the same request.
const TOGETHER_NS: i64 = 500_000_000;

/// The signals that are watched: SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct StopSignals(Signals);

impl StopSignals {
    /// Starts watching. SIGHUP, which a terminal sends when it is closed, stays ignored if the process was started with
    /// it ignored, for example by `nohup`.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn watch() -> io::Result<Self> {
        let signals = Signals::new([SIGTERM, SIGINT])?;
        if !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        Ok(Self(signals))
    }

    /// Calls `stop` with the name of each signal, on a separate thread. A later SIGTERM or SIGINT ends the process as
    /// if it were not watched. A later SIGHUP does not, because closing a terminal or ending a session sends it
    /// together with other signals, or twice.
    ///
    /// # Errors
    ///
    /// An error of the operating system if the thread cannot be started.
    pub fn call(mut self, mut stop: impl FnMut(&'static str) + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut wish = Wish::default();
            for signal in self.0.forever() {
                if signal != SIGHUP && wish.is_uttered_again(SystemClock.monotonic()) {
                    let _ = emulate_default_handler(signal);
                }
                stop(signal_name(signal).unwrap_or("a signal"));
            }
        })?;
        Ok(())
    }
}

/// Distinguishes a second request to stop, which must not be delayed, from signals of the first one. Signals within
/// half a second count as the same request: `timeout` sends every signal twice, to the process and to its group.
#[derive(Debug, Default)]
struct Wish(Option<MonotonicNanos>);

impl Wish {
    /// Records a signal. Returns whether there was an earlier request.
    fn is_uttered_again(&mut self, now: MonotonicNanos) -> bool {
        now.since(*self.0.get_or_insert(now)) >= TOGETHER_NS
    }
}

/// Whether this process ignores a signal, according to its status file. False if the file cannot be read.
fn is_ignored(signal: c_int) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Whether the status of a process lists the signal as ignored: in hexadecimal digits, the first signal last.
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

    #[test]
    fn a_signal_that_is_sent_twice_at_once_is_one_wish() {
        let mut wish = Wish::default();
        let at = |ns: i64| MonotonicNanos::new(7_000_000_000 + ns);
        let again =
            [0, 0, 1_000, TOGETHER_NS - 1, TOGETHER_NS, 60 * TOGETHER_NS].map(|ns| wish.is_uttered_again(at(ns)));
        assert_eq!(again, [false, false, false, false, true, true]);
    }
}
