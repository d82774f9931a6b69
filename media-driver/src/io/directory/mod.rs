//! The driver directory: created or taken over, locked, emptied, and removed. `runtime` calls this before the first and
//! after the last duty cycle. It must never touch the directory of a driver that is alive, nor remove a file that no
//! driver makes.
//!
//! Two rules decide who may have a directory. A heartbeat in the command file that is young enough means a live driver
//! of any make. Besides, every gannet-driver holds a lock (`flock`) on the directory itself as long as it runs. The
//! lock settles the race of two drivers that start at once, tells a stopped process from a dead one, and leaves no file
//! behind. Other drivers neither take nor check it.

mod error;
mod lock;
mod place;
mod request;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, DirEntry, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gannet::cnc::{CNC_FILE_NAME, DriverState, DriverWatch};
use gannet::reports::LOSS_REPORT_FILE_NAME;
use gannet::time::Clock;

pub use self::error::DirectoryError;
use self::error::failed;
use self::lock::{leads_to, lock, pause};
pub use self::place::new_private_path;
pub use self::request::{DirectoryRequest, directory_mode, file_mode};
use super::existing::{Existing, look, not_ready};
use crate::config::DirectoryAccess;

/// The directory of publication logs.
const PUBLICATIONS: &str = "publications";
/// The directory of image logs.
const IMAGES: &str = "images";
/// The entries of a driver's directory, of any driver.
const MADE_BY_DRIVERS: [&str; 4] = [CNC_FILE_NAME, PUBLICATIONS, IMAGES, LOSS_REPORT_FILE_NAME];
/// The suffix of log files.
const LOG_SUFFIX: &str = ".logbuffer";

/// The maximum length of a log's path. Clients copy it into a buffer of 4096 bytes without checking its length.
const PATH_MAX_LENGTH: usize = 4095;
/// The length of the longest path that the driver appends: `/publications/-9223372036854775808.logbuffer`.
const LONGEST_ENTRY: usize = 1 + PUBLICATIONS.len() + 1 + 20 + LOG_SUFFIX.len();

/// A directory that this driver holds until dropped.
#[derive(Debug)]
pub struct DriverDirectory {
    path: PathBuf,
    access: DirectoryAccess,
    /// The file that holds the lock.
    lock: File,
    findings: Vec<Finding>,
}

/// Something that was found when the directory was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The directory existed.
    Existed,
    /// It contained the files of a dead driver.
    DeadDriver {
        /// The driver's process id.
        pid: i64,
        /// The age of its last heartbeat in milliseconds, or, if that is in the future, for how long it did not change.
        /// `None` after a clean shutdown.
        silent_for_ms: Option<i64>,
    },
    /// It contained an unfinished command file.
    UnfinishedStart,
    /// The dead driver had recorded errors, which were saved to this file.
    ErrorsSaved(PathBuf),
    /// The dead driver had recorded errors, which could not be saved to this file for this reason.
    ErrorsNotSaved(PathBuf, String),
    /// This entry does not belong to a driver and was left alone.
    NotOurs(PathBuf),
}

impl DriverDirectory {
    /// Takes the directory: locks it, checks that no driver is alive, removes the files of a dead one, and creates its
    /// subdirectories.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`]. Nothing was changed, except that an empty directory may have been created.
    pub fn take(request: &DirectoryRequest, clock: &dyn Clock) -> Result<Self, DirectoryError> {
        let path = std::path::absolute(&request.path).map_err(failed("find", &request.path))?;
        // Without a slash at its end, which would put the file of saved errors into the directory.
        let path: PathBuf = path.components().collect();
        let (length, longest) = (path.as_os_str().len(), PATH_MAX_LENGTH - LONGEST_ENTRY);
        if length > longest {
            return Err(DirectoryError::TooLong { path, length, longest });
        }
        let (lock, existed) = lock(&path, request, clock)?;
        let mut directory = Self { path, access: request.access, lock, findings: Vec::new() };
        if existed {
            directory.findings.push(Finding::Existed);
        }
        directory.check_owner()?;
        directory.check_that_it_may_be_a_drivers()?;
        if !request.delete_on_start {
            directory.check_for_driver(request.driver_timeout, clock)?;
        }
        directory.empty()?;
        directory.lay_out()?;
        Ok(directory)
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the loss report.
    pub fn loss_report_file(&self) -> PathBuf {
        self.path.join(LOSS_REPORT_FILE_NAME)
    }

    /// The directory of publication logs.
    pub fn publications(&self) -> PathBuf {
        self.path.join(PUBLICATIONS)
    }

    /// The directory of image logs.
    pub fn images(&self) -> PathBuf {
        self.path.join(IMAGES)
    }

    /// The size of its file system in bytes. `None` if unknown.
    pub fn file_system_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.path).ok()?;
        Some(stat.f_blocks.saturating_mul(stat.f_frsize)).filter(|&bytes| bytes > 0)
    }

    /// Whether its files are in memory only, so that the operating system never writes them to a disk.
    pub fn is_in_memory(&self) -> bool {
        place::is_in_memory(&self.path)
    }

    /// The permission bits of files in it.
    pub fn file_mode(&self) -> u32 {
        file_mode(self.access)
    }

    /// What was found when the directory was taken.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Removes the directory and the driver's files in it. If there are other entries, they and the directory stay. If
    /// the path is a symbolic link, the directory stays as well. Does nothing if the directory was removed or replaced.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`] and [`DirectoryError::NoPermission`].
    pub fn remove(mut self) -> Result<(), DirectoryError> {
        // What is there otherwise may belong to a driver that is alive.
        if !leads_to(&self.path, &self.lock)? {
            return Ok(());
        }
        self.empty()?;
        // While the lock is still held, so that a driver that waits for it finds the directory gone.
        remove_folder(&self.path)
    }

    /// Releases an empty directory, because the driver did not start, and removes it if it was created for this driver.
    /// What cannot be removed is left to the next driver.
    pub fn abandon(mut self) {
        if leads_to(&self.path, &self.lock).unwrap_or(false)
            && self.empty().is_ok()
            && !self.findings.contains(&Finding::Existed)
        {
            let _ = remove_folder(&self.path);
        }
    }

    fn check_owner(&self) -> Result<(), DirectoryError> {
        let owner = self.lock.metadata().map_err(failed("look at", &self.path))?.uid();
        let user = rustix::process::geteuid().as_raw();
        // A directory that the superuser created for the driver is fine, and so is any directory for the superuser.
        // Another user's directory may be a trap in a place where everybody can create directories.
        if owner != user && owner != 0 && user != 0 {
            return Err(DirectoryError::NotOwned { path: self.path.clone(), owner, user });
        }
        Ok(())
    }

    /// Refuses a directory with entries but without a driver's files. Its permissions would be changed, and a place
    /// such as `/tmp` belongs to everybody.
    fn check_that_it_may_be_a_drivers(&self) -> Result<(), DirectoryError> {
        let list_failed = failed("list", &self.path);
        let entries =
            fs::read_dir(&self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(list_failed)?;
        let of_a_driver = |name: &OsStr| MADE_BY_DRIVERS.iter().any(|made| name == *made);
        let Some(first) = entries.iter().map(DirEntry::file_name).min() else { return Ok(()) };
        if entries.iter().any(|entry| of_a_driver(&entry.file_name())) {
            return Ok(());
        }
        Err(DirectoryError::NotADrivers { path: self.path.clone(), entry: first, entries: entries.len() })
    }

    /// Fails if a driver is alive, waits for one that may be starting, and records what a dead one left.
    fn check_for_driver(&mut self, timeout: Duration, clock: &dyn Clock) -> Result<(), DirectoryError> {
        let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let begun = clock.monotonic();
        let mut watch = DriverWatch::new(timeout);
        loop {
            let look_failed = |source| failed("read", &self.path.join(CNC_FILE_NAME))(source);
            let mut existing = look(&self.path).map_err(look_failed)?;
            let now = clock.epoch();
            let mut silent_for_ms = None;
            if let Existing::Driver(driver) = &existing {
                match watch.judge(driver.heartbeat(), now, clock.monotonic()) {
                    DriverState::Alive { age_ms } => {
                        return Err(DirectoryError::active(&self.path, driver, age_ms, false));
                    }
                    DriverState::Ahead { .. } => {
                        pause();
                        continue;
                    }
                    DriverState::Starting => existing = not_ready(&self.path).map_err(look_failed)?,
                    DriverState::Silent { age_ms } => silent_for_ms = Some(age_ms),
                    DriverState::ShutDown => {}
                }
            }
            match existing {
                Existing::Absent => return Ok(()),
                Existing::NotReady { changed } => {
                    let waited_ms = clock.monotonic().since(begun) / 1_000_000;
                    if waited_ms > timeout_ms || now.since(changed) > timeout_ms {
                        self.findings.push(Finding::UnfinishedStart);
                        return Ok(());
                    }
                    pause();
                }
                Existing::OtherVersion(version) => {
                    return Err(DirectoryError::OtherVersion { path: self.path.clone(), version });
                }
                Existing::Damaged(source) => return Err(DirectoryError::Damaged { path: self.path.clone(), source }),
                Existing::Driver(driver) => {
                    self.findings.push(Finding::DeadDriver { pid: driver.pid(), silent_for_ms });
                    match driver.save_errors(&self.path, self.file_mode(), now) {
                        Ok(saved) => self.findings.extend(saved.map(Finding::ErrorsSaved)),
                        // Refusing to start because another driver's errors cannot be saved would help nobody.
                        Err((path, error)) => self.findings.push(Finding::ErrorsNotSaved(path, error.to_string())),
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Removes all files of drivers, and nothing else.
    fn empty(&mut self) -> Result<(), DirectoryError> {
        for folder in [PUBLICATIONS, IMAGES] {
            let folder = self.path.join(folder);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    self.findings.push(Finding::NotOurs(folder));
                    continue;
                }
                Err(error) => return Err(failed("list", &folder)(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed("list", &folder))?;
                let is_log = entry.file_name().as_encoded_bytes().ends_with(LOG_SUFFIX.as_bytes());
                if is_log && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                    remove_file(&entry.path())?;
                } else {
                    self.findings.push(Finding::NotOurs(entry.path()));
                }
            }
            remove_folder(&folder)?;
        }
        remove_file(&self.loss_report_file())?;
        // Last, so that a directory that could not be emptied still shows its owner.
        remove_file(&self.path.join(CNC_FILE_NAME))
    }

    fn lay_out(&self) -> Result<(), DirectoryError> {
        set_mode(&self.path, directory_mode(self.access))?;
        for folder in [PUBLICATIONS, IMAGES] {
            let folder = self.path.join(folder);
            match DirBuilder::new().mode(directory_mode(self.access)).create(&folder) {
                Err(error) if !folder.is_dir() => return Err(failed("create", &folder)(error)),
                _ => set_mode(&folder, directory_mode(self.access))?,
            }
        }
        Ok(())
    }
}

/// Removes a directory, unless it has entries that are left alone, or the path is a symbolic link to one.
fn remove_folder(path: &Path) -> Result<(), DirectoryError> {
    match fs::remove_dir(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) => Ok(()),
        outcome => outcome.map_err(failed("remove", path)),
    }
}

fn remove_file(path: &Path) -> Result<(), DirectoryError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(failed("remove", path)),
    }
}

/// Sets the mode if it differs. The user of a directory need not be its owner.
fn set_mode(path: &Path, mode: u32) -> Result<(), DirectoryError> {
    let found = fs::metadata(path).map_err(failed("look at", path))?;
    if found.permissions().mode() & 0o777 == mode || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the permissions of", path))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicI64, Ordering};

    use gannet::broadcast::BROADCAST_TRAILER_LENGTH;
    use gannet::cnc::{CNC_VERSION, CncFile, CncParameters};
    use gannet::memory::Reserve;
    use gannet::reports::ErrorLog;
    use gannet::ringbuffer::RING_TRAILER_LENGTH;
    use gannet::time::{EpochMillis, ManualClock, MonotonicNanos};
    use gannet::types::SemanticVersion;

    use super::*;

    const NOW_MS: i64 = 1_795_229_969_484;

    /// A clock on which every look takes a while, so that nothing here waits in earnest.
    #[derive(Default)]
    struct HurryingClock(AtomicI64);

    impl Clock for HurryingClock {
        fn monotonic(&self) -> MonotonicNanos {
            MonotonicNanos::new(self.0.fetch_add(50_000_000, Ordering::Relaxed))
        }

        fn epoch(&self) -> EpochMillis {
            EpochMillis::new(NOW_MS)
        }
    }

    fn request(path: &Path) -> DirectoryRequest {
        DirectoryRequest {
            path: path.to_owned(),
            delete_on_start: false,
            access: DirectoryAccess::Private,
            driver_timeout: Duration::from_secs(10),
        }
    }

    fn take(request: &DirectoryRequest) -> Result<DriverDirectory, DirectoryError> {
        DriverDirectory::take(request, &HurryingClock::default())
    }

    /// What a driver of process 4711 leaves, its last heartbeat at the given moment.
    fn leave_driver(path: &Path, heartbeat_ms: i64) -> CncFile {
        for folder in [PUBLICATIONS, IMAGES] {
            fs::create_dir_all(path.join(folder)).unwrap();
            fs::write(path.join(folder).join("17.logbuffer"), b"frames").unwrap();
        }
        fs::write(path.join(LOSS_REPORT_FILE_NAME), b"").unwrap();
        let _ = fs::remove_file(path.join(CNC_FILE_NAME));
        let parameters = CncParameters {
            to_driver_length: 4096 + RING_TRAILER_LENGTH,
            to_clients_length: 4096 + BROADCAST_TRAILER_LENGTH,
            counter_values_length: 1024,
            error_log_length: 4096,
            client_liveness_timeout: Duration::from_secs(10),
            start_timestamp: EpochMillis::new(NOW_MS - 3_600_000),
            pid: 4711,
            page_size: 4096,
        };
        let cnc = CncFile::create(path, &parameters, 0o600, Reserve::Space).unwrap();
        cnc.commands().set_consumer_heartbeat(EpochMillis::new(heartbeat_ms));
        cnc.make_ready();
        cnc
    }

    /// Overwrites a word of the command file's header.
    fn damage(path: &Path, offset: u64, word: i32) {
        let file = OpenOptions::new().write(true).open(path.join(CNC_FILE_NAME)).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &word.to_le_bytes(), offset).unwrap();
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_private_unless_the_group_is_let_in() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let directory = take(&request(&path)).unwrap();
        assert_eq!(directory.path(), path);
        assert!(directory.findings().is_empty());
        assert_eq!((mode_of(&path), mode_of(&path.join(IMAGES)), directory.file_mode()), (0o700, 0o700, 0o600));
        drop(directory);
        let directory = take(&DirectoryRequest { access: DirectoryAccess::Group, ..request(&path) }).unwrap();
        assert_eq!((mode_of(&path), mode_of(&path.join(PUBLICATIONS)), directory.file_mode()), (0o750, 0o750, 0o660));
        assert_eq!(directory.findings(), [Finding::Existed]);
    }

    #[test]
    fn nothing_is_left_of_a_directory_whose_driver_did_not_start() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("driver");
        take(&request(&path)).unwrap().abandon();
        assert!(!path.exists());
        take(&request(temp.path())).unwrap().abandon();
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "empty, as it was");
    }

    #[test]
    fn a_live_driver_is_refused_and_named() {
        let temp = tempfile::tempdir().unwrap();
        leave_driver(temp.path(), NOW_MS - 9_999);
        let error = take(&request(temp.path())).unwrap_err();
        assert!(
            matches!(error, DirectoryError::Active { pid: 4711, heartbeat_age_ms: 9_999, .. }),
            "its process id is of no matter, its heartbeat is: {error}"
        );
        let text = error.to_string();
        assert!(text.contains("process 4711, started 2026-11-21 01:59:29.484, last heartbeat 9999 ms ago"), "{text}");
        assert!(temp.path().join("publications/17.logbuffer").exists(), "nothing of it is touched");
    }

    #[test]
    fn a_dead_driver_s_directory_is_taken_over() {
        let temp = tempfile::tempdir().unwrap();
        leave_driver(temp.path(), NOW_MS - 10_001);
        let directory = take(&request(temp.path())).unwrap();
        assert_eq!(
            directory.findings(),
            [Finding::Existed, Finding::DeadDriver { pid: 4711, silent_for_ms: Some(10_001) }]
        );
        let mut left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [IMAGES, PUBLICATIONS]);
        assert_eq!(fs::read_dir(directory.publications()).unwrap().count(), 0);
    }

    /// It was stored before the wall clock was set back.
    #[test]
    fn a_heartbeat_that_stays_in_the_future_is_a_dead_driver_s() {
        let temp = tempfile::tempdir().unwrap();
        for ahead_ms in [2_000, 10_001, 3_600_000, i64::MAX - NOW_MS] {
            leave_driver(temp.path(), NOW_MS + ahead_ms);
            let directory = take(&request(temp.path())).unwrap();
            let dead = directory.findings().last().unwrap();
            assert!(matches!(dead, Finding::DeadDriver { pid: 4711, silent_for_ms: Some(10_000..) }), "{dead:?}");
        }
    }

    #[test]
    fn a_live_driver_is_refused_although_the_clock_was_set_back() {
        /// At the fifth look the driver stores another heartbeat.
        struct Beating(HurryingClock, CncFile, i64);
        impl Clock for Beating {
            fn monotonic(&self) -> MonotonicNanos {
                let now = self.0.monotonic();
                if now >= MonotonicNanos::new(200_000_000) {
                    self.1.commands().set_consumer_heartbeat(EpochMillis::new(self.2));
                }
                now
            }
            fn epoch(&self) -> EpochMillis {
                self.0.epoch()
            }
        }
        let temp = tempfile::tempdir().unwrap();
        for next_ms in [NOW_MS, NOW_MS + 3_600_001] {
            let cnc = leave_driver(temp.path(), NOW_MS + 3_600_000);
            let clock = Beating(HurryingClock::default(), cnc, next_ms);
            let error = DriverDirectory::take(&request(temp.path()), &clock).unwrap_err();
            assert!(matches!(error, DirectoryError::Active { pid: 4711, .. }), "{error}");
            assert!(clock.0.0.load(Ordering::Relaxed) < 1_000_000_000, "as soon as it is seen to live");
        }
        leave_driver(temp.path(), NOW_MS + 1_000);
        let error = take(&request(temp.path())).unwrap_err();
        assert!(matches!(error, DirectoryError::Active { heartbeat_age_ms: -1_000, .. }), "{error}");
    }

    /// Trap 5: a heartbeat of -1 lets the next driver start at once.
    #[test]
    fn trap_05_a_clean_stop_lets_the_next_driver_start_at_once() {
        let temp = tempfile::tempdir().unwrap();
        leave_driver(temp.path(), -1);
        let directory = take(&request(temp.path())).unwrap();
        assert_eq!(directory.findings(), [Finding::Existed, Finding::DeadDriver { pid: 4711, silent_for_ms: None }]);
    }

    #[test]
    fn what_is_no_driver_s_stays() {
        let temp = tempfile::tempdir().unwrap();
        leave_driver(temp.path(), -1);
        fs::write(temp.path().join("thesis.txt"), b"years of work").unwrap();
        fs::write(temp.path().join("images/holiday.jpg"), b"").unwrap();
        let directory = take(&request(temp.path())).unwrap();
        assert!(directory.findings().contains(&Finding::NotOurs(temp.path().join("images/holiday.jpg"))));
        directory.remove().unwrap();
        assert!(temp.path().join("thesis.txt").exists());
        assert!(temp.path().join("images/holiday.jpg").exists());
        assert!(!temp.path().join(PUBLICATIONS).exists());
    }

    #[test]
    fn a_directory_of_something_else_is_refused_and_its_permissions_stay() {
        let temp = tempfile::tempdir().unwrap();
        let open_to_all = Permissions::from_mode(0o755);
        fs::set_permissions(temp.path(), open_to_all).unwrap();
        fs::write(temp.path().join("thesis.txt"), b"years of work").unwrap();
        for (more, expected) in [
            ("b", "it has b and another entry, and no cnc.dat; choose"),
            ("a", "it has a and 2 others, and no cnc.dat; choose"),
        ] {
            fs::write(temp.path().join(more), b"").unwrap();
            for delete_on_start in [false, true] {
                let error = take(&DirectoryRequest { delete_on_start, ..request(temp.path()) }).unwrap_err();
                assert!(matches!(error, DirectoryError::NotADrivers { .. }), "{error}");
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
        assert_eq!((mode_of(temp.path()), fs::read_dir(temp.path()).unwrap().count()), (0o755, 3));
    }

    #[test]
    fn what_one_driver_left_of_its_own_is_enough_for_the_next() {
        for made in MADE_BY_DRIVERS {
            let temp = tempfile::tempdir().unwrap();
            fs::write(temp.path().join("thesis.txt"), b"years of work").unwrap();
            match made {
                CNC_FILE_NAME => drop(leave_driver(temp.path(), -1)),
                LOSS_REPORT_FILE_NAME => fs::write(temp.path().join(made), b"").unwrap(),
                _ => fs::create_dir(temp.path().join(made)).unwrap(),
            }
            take(&request(temp.path())).unwrap_or_else(|error| panic!("{made}: {error}"));
        }
    }

    #[test]
    fn delete_on_start_does_not_look_at_the_heartbeat() {
        let temp = tempfile::tempdir().unwrap();
        for version in [CNC_VERSION, SemanticVersion::new(1, 0, 0), SemanticVersion::default()] {
            leave_driver(temp.path(), NOW_MS);
            damage(temp.path(), 0, version.bits());
            let directory = take(&DirectoryRequest { delete_on_start: true, ..request(temp.path()) }).unwrap();
            assert!(!directory.path().join(CNC_FILE_NAME).exists());
        }
    }

    #[test]
    fn another_version_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        leave_driver(temp.path(), -1);
        damage(temp.path(), 0, SemanticVersion::new(1, 2, 3).bits());
        let error = take(&request(temp.path())).unwrap_err().to_string();
        assert!(error.contains("its command file is version 1.2.3, this driver's is 0.2.0"), "{error}");
        assert!(temp.path().join(CNC_FILE_NAME).exists());
    }

    #[test]
    fn a_damaged_command_file_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        for offset in [4, 8, 12, 16, 20] {
            for length in [-1, i32::MIN] {
                leave_driver(temp.path(), NOW_MS);
                damage(temp.path(), offset, length);
                let error = take(&request(temp.path())).unwrap_err();
                assert!(matches!(error, DirectoryError::Damaged { .. }), "{length} at {offset}: {error}");
                assert!(error.to_string().contains("--delete-dir-on-start"), "{error}");
            }
        }
    }

    #[test]
    fn the_errors_of_a_dead_driver_are_kept_beside_its_directory() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("driver");
        let mut log = ErrorLog::new(leave_driver(&path, -1).error_log(crate::raw_access::RAW));
        log.record(EpochMillis::new(NOW_MS - 5_000), "(11) no such channel");
        log.record(EpochMillis::new(NOW_MS - 1_000), "(11) no such channel");
        let directory = take(&request(&path)).unwrap();
        let saved = temp.path().join("driver-2026-11-21 02-59-29.484+0000-error.log");
        assert_eq!(directory.findings().last(), Some(&Finding::ErrorsSaved(saved.clone())));
        assert_eq!(mode_of(&saved), 0o600, "whoever may not look into the directory may not read its errors either");
        assert_eq!(
            fs::read_to_string(saved).unwrap(),
            "2 observations from 2026-11-21 02:59:24.484 to 2026-11-21 02:59:28.484 for:\n (11) no such channel\n\n\
             1 distinct errors observed.\n"
        );
    }

    /// Everybody may make files and links in `/dev/shm`.
    #[test]
    fn saved_errors_replace_no_file_and_follow_no_link() {
        let temp = tempfile::tempdir().unwrap();
        let (path, precious) = (temp.path().join("driver"), temp.path().join("precious"));
        fs::write(&precious, b"years of work").unwrap();
        let saved = temp.path().join("driver-2026-11-21 02-59-29.484+0000-error.log");
        std::os::unix::fs::symlink(&precious, &saved).unwrap();
        ErrorLog::new(leave_driver(&path, -1).error_log(crate::raw_access::RAW))
            .record(EpochMillis::new(NOW_MS), "(11) no such channel");
        let directory = take(&request(&path)).unwrap();
        let last = directory.findings().last().unwrap();
        assert!(matches!(last, Finding::ErrorsNotSaved(path, _) if *path == saved), "{last:?}");
        assert_eq!(fs::read(&precious).unwrap(), b"years of work");
    }

    /// As shells complete it.
    #[test]
    fn a_slash_at_the_end_of_a_path_changes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("driver");
        ErrorLog::new(leave_driver(&path, -1).error_log(crate::raw_access::RAW))
            .record(EpochMillis::new(NOW_MS), "(11) no such channel");
        let directory = take(&request(&temp.path().join("driver/"))).unwrap();
        assert_eq!(directory.path().as_os_str(), path.as_os_str());
        let saved = temp.path().join("driver-2026-11-21 02-59-29.484+0000-error.log");
        assert_eq!(directory.findings().last(), Some(&Finding::ErrorsSaved(saved)), "beside the directory");
    }

    /// Somebody removed a running driver's directory, and another driver was started there.
    #[test]
    fn a_driver_whose_directory_was_replaced_leaves_the_new_one_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("driver");
        for (aside, leave) in [
            ("removed", (|first| first.remove().unwrap()) as fn(DriverDirectory)),
            ("abandoned", DriverDirectory::abandon),
        ] {
            let first = take(&request(&path)).unwrap();
            fs::rename(&path, temp.path().join(aside)).unwrap();
            let second = take(&request(&path)).unwrap();
            let _cnc = leave_driver(&path, NOW_MS);
            leave(first);
            assert!(path.join(CNC_FILE_NAME).exists() && path.join("publications/17.logbuffer").exists(), "{aside}");
            second.remove().unwrap();
            assert!(!path.exists());
        }
    }

    #[test]
    fn links_to_other_places_stay_and_those_are_emptied() {
        let temp = tempfile::tempdir().unwrap();
        let [real, logs, link] = ["real", "logs", "driver"].map(|name| temp.path().join(name));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        leave_driver(&link, -1);
        fs::rename(link.join(PUBLICATIONS), &logs).unwrap();
        std::os::unix::fs::symlink(&logs, link.join(PUBLICATIONS)).unwrap();
        let directory = take(&request(&link)).unwrap();
        assert!(directory.publications().is_symlink() && directory.publications().is_dir());
        assert_eq!(fs::read_dir(&logs).unwrap().count(), 0);
        directory.remove().unwrap();
        assert!(link.is_symlink() && link.is_dir());
        let left: Vec<_> = fs::read_dir(&real).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [PUBLICATIONS]);
    }

    /// Otherwise the first publication would find out.
    #[test]
    fn a_file_in_the_place_of_the_logs_is_refused_and_stays_as_it_is() {
        for folder in [PUBLICATIONS, IMAGES] {
            let temp = tempfile::tempdir().unwrap();
            leave_driver(temp.path(), -1);
            let folder = temp.path().join(folder);
            fs::remove_dir_all(&folder).unwrap();
            fs::write(&folder, b"years of work").unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o640)).unwrap();
            let error = take(&request(temp.path())).unwrap_err();
            assert!(matches!(&error, DirectoryError::NotADirectory { path } if *path == folder), "{error}");
            assert_eq!((mode_of(&folder), fs::read(&folder).unwrap()), (0o640, b"years of work".to_vec()));
        }
    }

    /// Trap 2, for drivers: a file of no length or without a version is another driver's start, or a start that failed.
    #[test]
    fn trap_02_an_unfinished_command_file_is_waited_for_and_then_taken_over() {
        let temp = tempfile::tempdir().unwrap();
        for content in [&[][..], &[0; 4], &[0; 8192], &[0, 2, 0, 0]] {
            fs::write(temp.path().join(CNC_FILE_NAME), content).unwrap();
            let clock = HurryingClock::default();
            let changed_now = EpochMillis::new(0);
            // The file's own time is the system's; only the wait counts when the clock says that the file is fresh.
            struct Fresh<'a>(&'a HurryingClock, EpochMillis);
            impl Clock for Fresh<'_> {
                fn monotonic(&self) -> MonotonicNanos {
                    self.0.monotonic()
                }
                fn epoch(&self) -> EpochMillis {
                    self.1
                }
            }
            let directory = DriverDirectory::take(&request(temp.path()), &Fresh(&clock, changed_now)).unwrap();
            assert_eq!(directory.findings(), [Finding::Existed, Finding::UnfinishedStart]);
            assert!(clock.0.load(Ordering::Relaxed) > 10_000_000_000, "it waited for the whole driver timeout");
        }
    }

    #[test]
    fn what_is_not_a_directory_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, b"").unwrap();
        for path in [path.clone(), path.join("below")] {
            let error = take(&request(&path)).unwrap_err();
            assert!(matches!(error, DirectoryError::NotADirectory { .. }), "{error}");
        }
    }

    #[test]
    fn a_path_that_clients_could_not_copy_is_refused() {
        let error = take(&request(&PathBuf::from(format!("/tmp/{}", "x".repeat(4080))))).unwrap_err();
        assert!(matches!(error, DirectoryError::TooLong { length: 4085, .. }), "{error}");
    }

    #[test]
    fn a_second_driver_of_ours_is_refused_however_old_the_heartbeat_is() {
        let temp = tempfile::tempdir().unwrap();
        let first = take(&request(temp.path())).unwrap();
        let held = take(&request(temp.path())).unwrap_err();
        assert!(matches!(held, DirectoryError::Held { pid: None, .. }), "{held}");
        leave_driver(temp.path(), NOW_MS - 60_000);
        let held = take(&DirectoryRequest { delete_on_start: true, ..request(temp.path()) }).unwrap_err();
        assert!(held.to_string().contains("process 4711, which has not shown itself for 60000 ms"), "{held}");
        drop(first);
        take(&request(temp.path())).unwrap();
    }

    #[test]
    fn of_many_that_start_at_once_one_wins() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("contended");
        for _ in 0..20 {
            let (start, end) = (Barrier::new(4), Barrier::new(4));
            let winners: usize = std::thread::scope(|scope| {
                let driver = || {
                    start.wait();
                    let outcome = DriverDirectory::take(&request(&path), &HurryingClock::default());
                    end.wait();
                    match outcome {
                        Ok(directory) => {
                            directory.remove().unwrap();
                            1
                        }
                        Err(DirectoryError::Held { .. }) => 0,
                        Err(error) => panic!("{error}"),
                    }
                };
                let drivers: Vec<_> = (0..4).map(|_| scope.spawn(driver)).collect();
                drivers.into_iter().map(|driver| driver.join().unwrap()).sum()
            });
            assert_eq!(winners, 1);
            assert!(!path.exists());
        }
    }

    #[test]
    fn one_that_waited_finds_the_directory_that_replaced_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("replaced");
        let path = &path;
        let first = take(&request(path)).unwrap();
        std::thread::scope(|scope| {
            // On a clock that stands still it waits for as long as it must.
            let clock = ManualClock::new(MonotonicNanos::new(0), EpochMillis::new(NOW_MS));
            let second = scope.spawn(move || DriverDirectory::take(&request(path), &clock));
            first.remove().unwrap();
            let second = second.join().unwrap().unwrap();
            assert!(second.publications().exists());
        });
    }
}
