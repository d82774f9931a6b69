//! The operating system's sizes of socket buffers: the default, which logs contain for tools, and the maximum, for
//! warnings. Read at start.

use std::fs;

/// The operating system's default socket buffers in bytes. 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketDefaults {
    /// The send buffer.
    pub sndbuf: i32,
    /// The receive buffer.
    pub rcvbuf: i32,
}

impl SocketDefaults {
    /// Queries the operating system.
    pub fn of_system() -> Self {
        Self { sndbuf: read("/proc/sys/net/core/wmem_default"), rcvbuf: read("/proc/sys/net/core/rmem_default") }
    }
}

/// Warnings about configured buffers that exceed the operating system's maximum, one sentence each.
pub(crate) fn warnings(so_sndbuf: u64, so_rcvbuf: u64) -> Vec<String> {
    [("snd", so_sndbuf, "wmem_max"), ("rcv", so_rcvbuf, "rmem_max")]
        .into_iter()
        .filter_map(|(which, asked, limit)| cut(which, asked, limit, read(&format!("/proc/sys/net/core/{limit}"))))
        .collect()
}

fn cut(which: &str, asked: u64, limit: &str, most: i32) -> Option<String> {
    let is_cut = most > 0 && asked > u64::from(most.cast_unsigned());
    is_cut.then(|| {
        format!(
            "aeron.socket.so_{which}buf={asked}: the system gives a socket {most} bytes at most; raise net.core.{limit}, or ask for less"
        )
    })
}

fn read(path: &str) -> i32 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_the_system_cuts_are_told() {
        let told = cut("rcv", 212_993, "rmem_max", 212_992).unwrap();
        assert!(told.contains("so_rcvbuf=212993") && told.contains("212992") && told.contains("rmem_max"), "{told}");
        for (asked, most) in [(212_992, 212_992), (0, 212_992), (u64::MAX, 0)] {
            assert_eq!(cut("rcv", asked, "rmem_max", most), None, "{asked} of {most}");
        }
        // More than any system has.
        let hidden = [read("/proc/sys/net/core/wmem_max"), read("/proc/sys/net/core/rmem_max")].contains(&0);
        assert!(hidden || warnings(1 << 40, 1 << 40).len() == 2);
        assert_eq!(warnings(0, 0), [""; 0]);
    }

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
