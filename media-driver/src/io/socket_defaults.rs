//! The operating system's sizes of socket buffers: the default, which logs contain for tools, and the maximum, for
//! warnings. Read at start.

use std::fs;

use crate::config::{ByteLength, DriverConfig};

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

/// Warnings about the defaults of streams that do not fit into the buffers of sockets, one sentence each. The channels
/// that state neither are refused.
pub(crate) fn misfits(config: &DriverConfig, system: SocketDefaults) -> Vec<String> {
    let buffer = |stated: Option<ByteLength>, system: i32| {
        stated.map(ByteLength::get).or_else(|| u64::try_from(system).ok().filter(|bytes| *bytes > 0))
    };
    let DriverConfig { network, terms, .. } = config;
    let window = ("aeron.rcv.initial.window.length", network.initial_window.get(), "subscriptions", "rcv-wnd");
    let mtu = ("aeron.mtu.length", terms.mtu.get().unsigned_abs().into(), "publications", "mtu");
    [
        (window, "rcvbuf", buffer(network.so_rcvbuf, system.rcvbuf)),
        (mtu, "sndbuf", buffer(network.so_sndbuf, system.sndbuf)),
    ]
    .into_iter()
    .filter_map(|((setting, bytes, what, key), name, buffer)| {
        let buffer = buffer.filter(|buffer| bytes > *buffer)?;
        Some(format!(
            "{setting}={bytes} does not fit into the buffer of a socket, which has {buffer} bytes: {what} over UDP are \
                 refused whose channels state neither {key} nor so-{name}; lower it, or raise aeron.socket.so_{name}"
        ))
    })
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
    fn windows_and_datagrams_that_no_buffer_holds_are_told() {
        let system = SocketDefaults { sndbuf: 212_992, rcvbuf: 212_992 };
        let mut config = DriverConfig::default();
        assert_eq!(misfits(&config, system), [""; 0]);
        config.network.initial_window = ByteLength::new(256 << 10);
        config.network.so_sndbuf = Some(ByteLength::new(1024));
        let told = misfits(&config, system);
        assert_eq!(
            told[0],
            "aeron.rcv.initial.window.length=262144 does not fit into the buffer of a socket, which has 131072 bytes: \
             subscriptions over UDP are refused whose channels state neither rcv-wnd nor so-rcvbuf; lower it, or raise \
             aeron.socket.so_rcvbuf"
        );
        assert!(
            told.len() == 2 && told[1].contains("aeron.mtu.length=1408") && told[1].contains("has 1024"),
            "{told:?}"
        );
        (config.network.so_rcvbuf, config.network.so_sndbuf) = (None, None);
        assert!(misfits(&config, system)[0].contains("has 212992 bytes"), "the system's, unless another is asked for");
        assert_eq!(misfits(&config, SocketDefaults::default()), [""; 0], "the system does not tell");
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
