//! Signals to a process of Gannet. The first is a request to stop cleanly, a second one ends the process at once. The
//! driver and the commands that stop cleanly use this, so they all react in the same way.
#![expect(clippy::disallowed_methods, reason = "an edge: asks the system which signals this process ignores")]

use std::io;
use std::os::raw::c_int;

use gannet::time::{Clock, MonotonicNanos, SystemClock};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, signal_name};

/// Signals that come so soon after the first are one wish with it.
const TOGETHER_NS: i64 = 500_000_000;

/// The signals that are watched for from now on: SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct StopSignals(Signals);

impl StopSignals {
    /// Starts to watch. SIGHUP, which a terminal sends when it is closed, is left alone by a process that was started to ignore it, as by
    /// `nohup`.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn watch() -> io::Result<Self> {
        let signals = Signals::new([SIGTERM, SIGINT])?;
        if !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        Ok(Self(signals))
    }

    /// Has each of them call `stop` with its name, on a thread of their own, and a later SIGTERM or SIGINT end the process as if nobody
    /// had watched. SIGHUP does not: who closes a terminal or ends a session sends it beside others, or twice.
    ///
    /// # Errors
    ///
    /// What the operating system says of the thread.
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

/// Tells a second wish to stop, which is not to be put off any longer, from what belongs to the first. What comes within half a
/// second of that is one wish with it: `timeout` sends every signal twice, to the process and to its group.
#[derive(Debug, Default)]
struct Wish(Option<MonotonicNanos>);

impl Wish {
    /// Notes a signal, and says whether the wish was uttered before.
    fn is_uttered_again(&mut self, now: MonotonicNanos) -> bool {
        now.since(*self.0.get_or_insert(now)) >= TOGETHER_NS
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

    #[test]
    fn a_signal_that_is_sent_twice_at_once_is_one_wish() {
        let mut wish = Wish::default();
        let at = |ns: i64| MonotonicNanos::new(7_000_000_000 + ns);
        let again =
            [0, 0, 1_000, TOGETHER_NS - 1, TOGETHER_NS, 60 * TOGETHER_NS].map(|ns| wish.is_uttered_again(at(ns)));
        assert_eq!(again, [false, false, false, false, true, true]);
    }
}
