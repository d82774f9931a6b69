//! The driver's CnC file, opened for reading.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use gannet::cnc::CncFile;
use gannet::counters::{CounterRecord, SystemCounter};
use gannet::memory::FileAccess;
use gannet::reports::{ErrorLogReader, LOSS_REPORT_FILE_NAME, LossReportReader};
use gannet::time::{Clock, SystemClock};
use gannet::types::CounterId;

use super::driver_line::DriverLine;

/// How old a heartbeat may be before its driver is taken for dead: what clients wait for by default.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A driver that runs, or that ran in this directory.
pub(crate) struct Driver {
    dir: PathBuf,
    cnc: CncFile,
}

impl Driver {
    /// Opens the files of the driver in `dir`.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let cnc = CncFile::open(dir, FileAccess::ReadOnly).with_context(|| {
            format!(
                "cannot see a driver in {}: is it running there? (--dir or AERON_DIR choose another place)",
                dir.display()
            )
        })?;
        Ok(Self { dir: dir.to_owned(), cnc })
    }

    /// Its file.
    pub(crate) fn cnc(&self) -> &CncFile {
        &self.cnc
    }

    /// All allocated counters.
    pub(crate) fn counters(&self) -> Vec<CounterRecord> {
        let mut records = Vec::new();
        self.cnc.counters().for_each(|record| records.push(record.clone()));
        records
    }

    /// The driver's error log.
    pub(crate) fn error_log(&self) -> ErrorLogReader {
        self.cnc.errors()
    }

    /// The driver's loss report.
    pub(crate) fn loss_report(&self) -> anyhow::Result<LossReportReader> {
        let path = self.dir.join(LOSS_REPORT_FILE_NAME);
        LossReportReader::open(&path).with_context(|| format!("cannot read the loss report {}", path.display()))
    }

    /// Opens the files again if the driver has been started anew since: it deletes the old files and makes others.
    pub(crate) fn refresh(&mut self) {
        if let Ok(cnc) = CncFile::open(&self.dir, FileAccess::ReadOnly)
            && (cnc.pid(), cnc.start_timestamp()) != (self.cnc.pid(), self.cnc.start_timestamp())
        {
            self.cnc = cnc;
        }
    }

    /// Which driver this is, and whether it lives.
    pub(crate) fn identify(&self) -> DriverLine {
        let now = SystemClock.epoch();
        DriverLine {
            dir: self.dir.display().to_string(),
            state: self.cnc.driver_state(now, DRIVER_TIMEOUT),
            pid: self.cnc.pid(),
            started: self.cnc.start_timestamp(),
            now,
            cnc_version: self.cnc.version().to_string(),
            version: self.stated("version"),
            commit: self.stated("commit"),
            profile: self.stated("profile"),
            transport: self.stated("transport"),
        }
    }

    /// What the driver says of itself in the label of its version: its profile, its transport.
    fn stated(&self, name: &str) -> Option<String> {
        let version = self.cnc.counters().get(CounterId::new(SystemCounter::SoftwareVersion as i32))?;
        let label = String::from_utf8_lossy(version.label.as_bytes()).into_owned();
        let mut words = label.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::cnc::CncOpenError;

    #[test]
    fn a_directory_without_a_driver_says_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = Driver::open(dir.path()).err().expect("there is no driver");
        assert!(error.to_string().contains("--dir"), "{error:#}");
        assert!(error.root_cause().is::<CncOpenError>());
    }
}
