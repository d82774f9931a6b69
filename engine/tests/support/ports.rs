//! UDP ports for tests and measurements that nothing else takes before they are opened: not the system, which gives out
//! higher ones to sockets that name none, and not another process that asks here. Included by path from other crates too.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below 32768, where Linux begins to give out ports (`ip_local_port_range` in `ip(7)`).
const PORTS: Range<u16> = 10_000..32_000;
/// A process reserves this many at a time.
const BLOCK: u16 = 100;

/// The block that this process gives out, and all that it ever reserved.
struct Reserved {
    rest: Range<u16>,
    /// Each listens on the first port of its block, for TCP, where no test needs it: a second process cannot.
    guards: Vec<TcpListener>,
}

static RESERVED: Mutex<Reserved> = Mutex::new(Reserved { rest: 0..0, guards: Vec::new() });

/// A port that no UDP socket of this host is bound to, and that is given to nobody else while this process lives.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] if all are reserved or bound.
pub fn free_port() -> io::Result<u16> {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(port) = reserved.rest.find(|&port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()) {
            return Ok(port);
        }
        let (first, guard) = reserve_block()?;
        reserved.rest = first..first + BLOCK;
        reserved.guards.push(guard);
    }
}

fn reserve_block() -> io::Result<(u16, TcpListener)> {
    let reserve = |first| Some((first, TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?));
    PORTS.step_by(usize::from(BLOCK)).find_map(reserve).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("every UDP port from {} to {} is in use", PORTS.start, PORTS.end),
        )
    })
}
