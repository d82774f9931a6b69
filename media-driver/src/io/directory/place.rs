//! The place of a driver's directory: a path for a private directory, and checks of its file system. Used when a driver
//! is launched.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// A unique path for a private driver, in memory if possible.
pub fn new_private_path() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    let base = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
    let random = RandomState::new().build_hasher().finish();
    base.join(format!("gannet-{}-{random:016x}", std::process::id()))
}

/// Whether files in this directory are in memory only. False if they are on a disk, or are written to one sooner or
/// later.
pub(super) fn is_in_memory(path: &Path) -> bool {
    // If that is unknown, there is no reason for a warning.
    rustix::fs::statfs(path).map_or(true, |stat| is_of_memory(stat.f_type))
}

fn is_of_memory(file_system: rustix::fs::FsWord) -> bool {
    const RAMFS_MAGIC: rustix::fs::FsWord = 0x8584_58f6;
    [libc::TMPFS_MAGIC, libc::HUGETLBFS_MAGIC, RAMFS_MAGIC].contains(&file_system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_s_file_systems_are_told_from_those_in_memory() {
        for in_memory in [0x0102_1994, 0x9584_58f6, 0x8584_58f6] {
            assert!(is_of_memory(in_memory), "{in_memory:#x}");
        }
        for (name, elsewhere) in [("ext4", 0xef53), ("xfs", 0x5846_5342), ("overlay", 0x794c_7630), ("nfs", 0x6969)] {
            assert!(!is_of_memory(elsewhere), "{name}");
        }
        assert!(is_in_memory(Path::new("/no/such/place")));
        assert!(!is_in_memory(Path::new("/proc")));
    }
}
