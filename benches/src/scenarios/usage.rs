//! The kernel's accounting of threads: CPU time, and how often they were put on a CPU. Called by the scenarios that
//! watch threads.

use std::fs;

use crate::rig::RigError;
use crate::systems::gannet::GANNET;

/// The kernel's accounting of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// CPU time in nanoseconds.
    pub(super) cpu_ns: u64,
    /// How often they were put on a CPU.
    pub(super) turns: u64,
}

impl Usage {
    /// The sum over the threads in a directory such as `/proc/1/task`.
    pub(super) fn below(tasks: &str) -> Result<Self, RigError> {
        let mut total = Self::default();
        for task in fs::read_dir(tasks).map_err(|error| unread(tasks, error))? {
            let path = task.map_err(|error| unread(tasks, error))?.path().join("schedstat");
            let usage = Self::read(&path.to_string_lossy())?;
            total.cpu_ns += usage.cpu_ns;
            total.turns += usage.turns;
        }
        Ok(total)
    }

    /// The ids of this process's threads.
    pub(super) fn threads() -> Result<Vec<String>, RigError> {
        let tasks = "/proc/self/task";
        let names = fs::read_dir(tasks).map_err(|error| unread(tasks, error))?;
        Ok(names.flatten().map(|task| task.file_name().to_string_lossy().into_owned()).collect())
    }

    /// The usage of one thread of this process.
    pub(super) fn of_thread(id: &str) -> Result<Self, RigError> {
        Self::read(&format!("/proc/self/task/{id}/schedstat"))
    }

    fn read(path: &str) -> Result<Self, RigError> {
        let text = fs::read_to_string(path).map_err(|error| unread(path, error))?;
        Self::parse(&text).ok_or_else(|| RigError::system(GANNET, "reading the threads' times", text))
    }

    /// Parses the kernel's text: CPU time and waiting time in nanoseconds, then how often the thread was put on a CPU.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::parse);
        let (cpu_ns, _waited, turns) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
        Some(Self { cpu_ns, turns })
    }
}

fn unread(path: &str, error: std::io::Error) -> RigError {
    RigError::system(GANNET, format!("cannot read the threads' times in {path}"), error)
}

/// Rounds a value. `digits` is the power of ten that gives the number of decimals.
pub(super) fn round(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_read() {
        assert_eq!(Usage::parse("1234 5 67\n"), Some(Usage { cpu_ns: 1234, turns: 67 }));
        assert_eq!(Usage::parse("1234 x 67"), None);
        assert_eq!(Usage::parse(""), None);
    }
}
