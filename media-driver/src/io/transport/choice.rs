//! Chooses a driver's transport once, at its start, by trying it. Many containers forbid io_uring, and old kernels have
//! only part of it; a version number shows neither.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use gannet::time::{Clock, SystemClock};

use super::{SocketOptions, Transport, UringTransport, open};
use crate::config::TransportName;
use crate::mailbox::{Content, EndpointId, EndpointSpec, Transmit, TransmitBatch, TransmitTag};

/// The maximum duration of the trial in nanoseconds.
const PATIENCE_NS: i64 = 1_000_000_000;
/// The datagrams of the trial. Their lengths increase, so that segmentation offload does not combine them.
const TRIALS: [&[u8]; 2] = [b"echo", b"another"];

/// The kind of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// io_uring.
    IoUring,
    /// Plain sockets.
    Sockets,
}

impl TransportKind {
    /// The transport's name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Sockets => "sockets",
        }
    }
}

/// The transport that a driver uses.
#[derive(Debug)]
pub struct Chosen {
    /// The kind of the transport.
    pub kind: TransportKind,
    /// Why it is not io_uring, although that was preferred. For the log.
    pub fallback: Option<io::Error>,
}

impl Chosen {
    /// A warning for the operator, if there is one.
    pub fn warning(&self) -> Option<String> {
        let reason = self.fallback.as_ref()?;
        Some(format!(
            "io_uring cannot be used ({reason}), so datagrams go through plain sockets; see /proc/sys/kernel/io_uring_disabled and \
             the container's seccomp profile, or set gannet.transport=sockets to have it so"
        ))
    }
}

/// io_uring was required and is not available.
#[derive(Debug, thiserror::Error)]
#[error(
    "gannet.transport=io_uring, and io_uring cannot be used: {source}; it needs Linux 6.0, /proc/sys/kernel/io_uring_disabled at 0, and a \
     seccomp profile that allows it. With auto or sockets the driver does without"
)]
pub struct TransportUnavailable {
    /// The reason.
    pub source: io::Error,
}

/// Chooses the transport.
///
/// # Errors
///
/// [`TransportUnavailable`] if io_uring is required and not available.
pub fn choose(wanted: TransportName) -> Result<Chosen, TransportUnavailable> {
    let found = match wanted {
        TransportName::Sockets => return Ok(Chosen { kind: TransportKind::Sockets, fallback: None }),
        TransportName::Auto | TransportName::IoUring => try_io_uring(),
    };
    match (wanted, found) {
        (_, Ok(())) => Ok(Chosen { kind: TransportKind::IoUring, fallback: None }),
        (TransportName::IoUring, Err(source)) => Err(TransportUnavailable { source }),
        (_, Err(reason)) => Ok(Chosen { kind: TransportKind::Sockets, fallback: Some(reason) }),
    }
}

/// Sends datagrams from a socket of this machine to itself and receives them: in one submission, because a single send
/// would not use io_uring, and with a multishot operation, which transports with few sockets do not start by
/// themselves.
fn try_io_uring() -> io::Result<()> {
    let id = EndpointId::new(0);
    let sockets =
        open(&EndpointSpec::unicast(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).map_err(|error| error.source)?;
    let to = sockets.opened().local;
    let mut transport = UringTransport::new(SocketOptions { tried_directly: 0, ..SocketOptions::DEFAULT })?;
    transport.adopt(id, sockets)?;
    let mut batch = TransmitBatch::new(TRIALS.len());
    for trial in TRIALS {
        let content = Content::Long(trial.into());
        batch.push(Transmit { endpoint: id, to, content, tag: TransmitTag::Control });
    }
    let (mut sent, mut received) = (0, 0);
    let deadline = SystemClock.monotonic().saturating_add_ns(PATIENCE_NS);
    loop {
        transport.send(&mut batch, |done| sent += usize::from(done.is_sent()));
        transport.receive(TRIALS.len(), |datagram| received += usize::from(TRIALS.contains(&&*datagram.bytes)));
        // Checked first, because datagrams arrive even if io_uring does not receive them.
        if let Some(fault) = transport.take_fault() {
            return Err(io::Error::from_raw_os_error(fault.errno()));
        }
        if sent == TRIALS.len() && received == TRIALS.len() {
            return Ok(());
        }
        if SystemClock.monotonic() > deadline {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a trial datagram did not come back"));
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_never_tried_and_never_fail() {
        let chosen = choose(TransportName::Sockets).unwrap();
        assert_eq!((chosen.kind, chosen.warning()), (TransportKind::Sockets, None));
    }

    #[test]
    fn a_fallback_is_explained() {
        let reason = io::Error::from_raw_os_error(libc::EPERM);
        let chosen = Chosen { kind: TransportKind::Sockets, fallback: Some(reason) };
        let warning = chosen.warning().unwrap();
        assert!(warning.contains("seccomp") && warning.contains("not permitted"), "{warning}");
    }
}
