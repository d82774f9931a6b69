//! What socket buffers the system gives when nobody asks for more. Logs state it, for those who look at them. Read at start.

use std::fs;

/// The system's default socket buffers, in bytes; 0 where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketDefaults {
    /// For sending.
    pub sndbuf: i32,
    /// For receiving.
    pub rcvbuf: i32,
}

impl SocketDefaults {
    /// Asks the system.
    pub fn of_system() -> Self {
        Self { sndbuf: read("/proc/sys/net/core/wmem_default"), rcvbuf: read("/proc/sys/net/core/rmem_default") }
    }
}

fn read(path: &str) -> i32 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_and_anything_else_tells_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("wmem_default");
        let read_path = || read(path.to_str().unwrap());
        assert_eq!(read_path(), 0, "hidden, as in some containers");
        for (text, bytes) in [("212992\n", 212_992), ("plenty", 0), ("99999999999", 0)] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_path(), bytes);
        }
    }
}
