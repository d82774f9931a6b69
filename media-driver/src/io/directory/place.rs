//! Where the directory of a driver of one process is.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// A path for a driver of one process: where memory is, named so that nobody else meets it.
pub fn new_private_path() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    let base = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
    let random = RandomState::new().build_hasher().finish();
    base.join(format!("gannet-{}-{random:016x}", std::process::id()))
}
