//! The record of the machine that a result belongs to, since figures mean nothing without it. Read from the system's
//! files; facts that a machine does not provide are left out.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::cores::Cores;

/// The environment of a result.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The cores of the two ends.
    pub pinning: String,
    /// Frequency governor of the first core.
    pub governor: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// Whether the machine is virtual.
    pub is_virtual: bool,
    /// The commit of the sources, with `+` if they had been changed.
    pub commit: Option<String>,
    /// `release` or `debug`.
    pub build: &'static str,
}

impl Environment {
    /// Reads the environment of this machine.
    pub fn read(cores: Cores) -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let system = rustix::system::uname();
        Self {
            cpu: cpu_model(&cpu_info).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            pinning: cores.describe(),
            governor: line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            kernel: system.release().to_string_lossy().into_owned(),
            clock_source: line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            is_virtual: is_virtual(&cpu_info),
            commit: commit(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }

    /// The environment as one line of text.
    pub fn describe(&self) -> String {
        let mut text = format!("{}, {} cores ({})", self.cpu, self.cores, self.pinning);
        if self.is_virtual {
            text.push_str(", virtual machine");
        }
        let _ = write!(text, ", Linux {}", self.kernel);
        for (name, value) in [("governor", &self.governor), ("clock", &self.clock_source), ("commit", &self.commit)] {
            if let Some(value) = value {
                let _ = write!(text, ", {name} {value}");
            }
        }
        let _ = write!(text, ", {} build", self.build);
        text
    }
}

fn cpu_model(cpu_info: &str) -> Option<String> {
    let line = cpu_info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn is_virtual(cpu_info: &str) -> bool {
    cpu_info
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

fn line_of(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The commit of the sources, if they are still where this was built and git is available.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty();
    Some(format!("{}{}", commit.trim(), if is_changed { "+" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_read_from_its_record() {
        let record = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu hypervisor rdtscp\n";
        assert_eq!(cpu_model(record).as_deref(), Some("Some CPU @ 3 GHz"));
        assert!(is_virtual(record));
        assert!(!is_virtual("flags : fpu"));
        assert_eq!(cpu_model(""), None);
    }

    #[test]
    fn this_machine_is_described() {
        let text = Environment::read(Cores { near: Some(0), far: Some(1) }).describe();
        assert!(text.contains("cores 0 and 1") && text.contains("Linux"), "{text}");
    }
}
