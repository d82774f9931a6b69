//! Reads a driver's CnC file.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use gannet::cnc::{CncFile, CncOpenError, DriverWatch};
use gannet::counters::{CounterRecord, SystemCounter};
use gannet::memory::FileAccess;
use gannet::reports::{ErrorLogReader, LOSS_REPORT_FILE_NAME, LossReportReader};
use gannet::time::{Clock, SystemClock};
use gannet::types::CounterId;

use super::claim;
use super::driver_line::DriverLine;
use crate::cli::advise_on_driver;

/// The age from which a heartbeat means that its driver is dead: the default timeout of clients.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a heartbeat in the future is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A driver that runs, or that ran in this directory.
pub(crate) struct Driver {
    dir: PathBuf,
    cnc: CncFile,
    /// The identity of the file that is open, since another may have its name later.
    file: Option<FileId>,
    /// What was seen of its heartbeats.
    watch: RefCell<DriverWatch>,
    /// The loss report that was opened last.
    losses: RefCell<Option<LossReportReader>>,
}

/// The identity of a file: its device and inode number.
type FileId = (u64, u64);

impl Driver {
    /// Opens the files of the driver in `dir`.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let cnc = CncFile::open(dir, FileAccess::ReadOnly).map_err(|error| {
            let otherwise = format!(
                "cannot see a driver in {}: is it running there? (--dir or AERON_DIR choose another place)",
                dir.display()
            );
            advise_on_driver(error.into(), dir, Some(otherwise))
        })?;
        let watch = RefCell::new(DriverWatch::new(DRIVER_TIMEOUT));
        Ok(Self { dir: dir.to_owned(), file: file_id(&cnc), cnc, watch, losses: RefCell::default() })
    }

    /// The CnC file.
    pub(crate) fn cnc(&self) -> &CncFile {
        &self.cnc
    }

    /// All allocated counters.
    pub(crate) fn counters(&self) -> Vec<CounterRecord> {
        let mut records = Vec::new();
        self.cnc.counters().for_each(|record| records.push(record.clone()));
        records
    }

    /// Whether a message of a publication that begins at `position` is not published, although its place was claimed.
    /// `position` must be below that of the publishers.
    pub(crate) fn is_claim_open(&self, registration_id: i64, position: i64) -> bool {
        claim::is_open(&self.dir, registration_id, position)
    }

    /// The driver's error log.
    pub(crate) fn error_log(&self) -> ErrorLogReader {
        self.cnc.errors()
    }

    /// The driver's loss report. Once it was opened, it can also be read after the file was removed.
    pub(crate) fn loss_report(&self) -> anyhow::Result<LossReportReader> {
        let path = self.dir.join(LOSS_REPORT_FILE_NAME);
        let mut last = self.losses.borrow_mut();
        match (LossReportReader::open(&path), &*last) {
            (Ok(report), _) => Ok(last.insert(report).clone()),
            (Err(error), Some(last)) if error.io_kind() == Some(ErrorKind::NotFound) => Ok(last.clone()),
            (Err(error), _) => Err(error).with_context(|| format!("cannot read the loss report {}", path.display())),
        }
    }

    /// Opens the files again if the driver was restarted since: it deletes the old files and creates new ones. Returns
    /// whether it was. Returns an error if the open file was truncated. A file that is truncated between this check and
    /// the next access ends the process, as it does every process that has the file mapped.
    pub(crate) fn refresh(&mut self) -> anyhow::Result<bool> {
        match CncFile::open(&self.dir, FileAccess::ReadOnly) {
            Ok(cnc) => {
                if (cnc.pid(), cnc.start_timestamp()) != (self.cnc.pid(), self.cnc.start_timestamp()) {
                    self.file = file_id(&cnc);
                    self.cnc = cnc;
                    return Ok(true);
                }
            }
            Err(error @ CncOpenError::TooShort { .. }) if self.file.is_some() && self.file == file_id(&self.cnc) => {
                return Err(error).context("the driver's file was cut short while it was being read");
            }
            // There is no file, or the next one is not ready. The old one can still be read.
            Err(_) => {}
        }
        Ok(false)
    }

    /// Which driver this is, and whether it is alive, as far as this and earlier looks can tell.
    pub(crate) fn identify(&self) -> DriverLine {
        self.identify_at(&SystemClock)
    }

    /// Which driver this is, and whether it is alive. That takes one look, but up to [`DRIVER_TIMEOUT`] if the clock was
    /// set back.
    pub(crate) fn identify_for_sure(&self) -> DriverLine {
        self.identify_between(&SystemClock, || std::thread::sleep(LOOK_INTERVAL))
    }

    fn identify_between(&self, clock: &dyn Clock, mut pause: impl FnMut()) -> DriverLine {
        loop {
            let line = self.identify_at(clock);
            if !line.is_open() {
                return line;
            }
            pause();
        }
    }

    fn identify_at(&self, clock: &dyn Clock) -> DriverLine {
        let now = clock.epoch();
        DriverLine {
            dir: self.dir.display().to_string(),
            state: self.watch.borrow_mut().judge(self.cnc.heartbeat(), now, clock.monotonic()),
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

    /// What the driver states in the label of its version counter, such as its profile or its transport.
    fn stated(&self, name: &str) -> Option<String> {
        let version = self.cnc.counters().get(CounterId::new(SystemCounter::SoftwareVersion as i32))?;
        let label = String::from_utf8_lossy(version.label.as_bytes()).into_owned();
        let mut words = label.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }
}

/// The identity of the file that now has the name of this one.
fn file_id(cnc: &CncFile) -> Option<FileId> {
    let found = std::fs::metadata(cnc.path()).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::cnc::CncParameters;
    use gannet::memory::Reserve;
    use gannet::reports::LossReport;
    use gannet::time::{EpochMillis, ManualClock, MonotonicNanos};
    use gannet::types::{SessionId, StreamId};

    #[test]
    fn a_directory_without_a_driver_says_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = Driver::open(dir.path()).err().expect("there is no driver");
        assert!(error.to_string().contains("--dir"), "{error:#}");
        assert!(error.root_cause().is::<CncOpenError>());
    }

    /// A driver's file as it is while it runs.
    fn make(dir: &Path, pid: i64) {
        let parameters = CncParameters {
            to_driver_length: (64 << 10) + 768,
            to_clients_length: (64 << 10) + 128,
            counter_values_length: 64 << 10,
            error_log_length: 64 << 10,
            pid,
            client_liveness_timeout: DRIVER_TIMEOUT,
            start_timestamp: EpochMillis::new(pid),
            page_size: 4096,
        };
        CncFile::create(dir, &parameters, 0o600, Reserve::Space).expect("there is room").make_ready();
    }

    /// It was stored before the wall clock was set back.
    #[test]
    fn a_heartbeat_in_the_future_is_watched_until_it_is_clear_whose_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), 1);
        let clock = ManualClock::new(MonotonicNanos::new(0), EpochMillis::new(5_000));
        let beat = |heartbeat_ms| {
            let cnc = CncFile::open(dir.path(), FileAccess::ReadWrite).expect("it is there");
            cnc.commands().set_consumer_heartbeat(EpochMillis::new(heartbeat_ms));
        };
        beat(3_600_000);
        let driver = Driver::open(dir.path()).expect("it is there");
        assert!(driver.identify_at(&clock).is_open());
        let mut looks = 0;
        let line = driver.identify_between(&clock, || {
            looks += 1;
            clock.advance_ns(50_000_000);
            if looks == 20 {
                beat(5_990);
            }
        });
        assert_eq!((line.is_alive(), looks), (true, 20), "{line}");
        beat(3_600_000);
        let driver = Driver::open(dir.path()).expect("it is there");
        let line = driver.identify_between(&clock, || _ = clock.advance_ns(50_000_000));
        assert!(!line.is_alive() && line.to_string().contains("no heartbeat for 10."), "{line}");
    }

    /// A driver that ends may take its files along, and one that starts removes those of the last one first.
    #[test]
    fn the_loss_report_can_be_read_still_when_it_has_been_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), 1);
        let driver = Driver::open(dir.path()).expect("it is there");
        let error = driver.loss_report().expect_err("there is none");
        assert!(error.to_string().starts_with("cannot read the loss report "), "{error:#}");
        let path = dir.path().join(LOSS_REPORT_FILE_NAME);
        let create = || LossReport::create(&path, 4096, 0o600).expect("there is room");
        let stream = (SessionId::new(7), StreamId::new(1));
        create().create_entry(EpochMillis::new(1), 100, stream, "aeron:udp", "127.0.0.1:1").expect("there is room");
        let entries = || driver.loss_report().and_then(|losses| Ok(losses.for_each(|_| ())?)).expect("it is whole");
        assert_eq!(entries(), 1);
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(entries(), 1, "what was there can be read still");
        create();
        assert_eq!(entries(), 0, "the next one");
    }

    #[test]
    fn a_file_that_is_cut_short_is_an_error_and_another_one_is_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), 1);
        let mut driver = Driver::open(dir.path()).expect("it is there");
        assert!(!driver.refresh().expect("nothing has happened"));
        let path = driver.cnc.path().to_owned();
        std::fs::remove_file(&path).expect("it is there");
        assert!(!driver.refresh().expect("what was there can be read still"));
        std::fs::write(&path, [0; 7]).expect("there is room");
        assert!(!driver.refresh().expect("the next one is not ready"));
        std::fs::remove_file(&path).expect("it is there");
        make(dir.path(), 2);
        assert!(driver.refresh().expect("there is another"));
        assert_eq!(driver.cnc.pid(), 2);
        for length in [4096, 0] {
            std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(length)).expect("it is ours");
            let error = driver.refresh().expect_err("it is not whole");
            assert!(format!("{error:#}").contains("cut short"), "{error:#}");
        }
    }
}
