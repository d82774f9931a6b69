//! Where driver directories are when nobody says. Called for a driver's configuration; it must look where clients look.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// Where a driver is when nobody says: `/dev/shm/aeron-<user>`, as clients look for it (shared-memory.md, section 1.1).
pub fn default_directory() -> PathBuf {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    let user = user.or_else(user_name).unwrap_or_else(|| "default".to_owned());
    PathBuf::from(format!("/dev/shm/aeron-{user}"))
}

/// A path for a driver of one process: where memory is, named so that nobody else meets it.
pub fn new_private_path() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    let base = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
    let random = RandomState::new().build_hasher().finish();
    base.join(format!("gannet-{}-{random:016x}", std::process::id()))
}

/// The name of the user that the process runs as, from the system's list of users.
fn user_name() -> Option<String> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let list = fs::read_to_string("/etc/passwd").ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user).then(|| name.to_owned())
    })
}
