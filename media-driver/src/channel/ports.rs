//! Ports for channels with port 0, from a range that a firewall permits. The conductor has one manager for ports to
//! send from and one for ports to receive on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// Assigns the ports of a range, and tracks which are in use.
#[derive(Debug, Default)]
pub struct PortManager {
    /// The range. `None` leaves the choice to the operating system.
    range: Option<RangeInclusive<u16>>,
    /// The port to try next.
    next: u16,
    /// The number of endpoints per port. Several can share one, by multicast or on different addresses.
    in_use: BTreeMap<u16, usize>,
}

/// A port that is marked as in use, until it is returned to its manager.
#[derive(Debug, PartialEq, Eq)]
pub struct TakenPort(u16);

/// All ports of the range are in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all ports from {} to {} are in use: widen the range, or state a port", range.start(), range.end())]
pub struct PortsExhausted {
    /// The range.
    pub range: RangeInclusive<u16>,
}

impl PortManager {
    /// A manager of the ports from `low` to `high`. If both are 0, the operating system chooses the ports.
    pub fn new(low: u16, high: u16) -> Self {
        let range = (low != 0 && low <= high).then_some(low..=high);
        Self { range, next: low, in_use: BTreeMap::new() }
    }

    /// The address to bind for `wanted`, and its port, which is marked as in use. If `wanted` has port 0, the next free
    /// port of the range is used. Without a range, the port stays 0 and none is marked.
    ///
    /// # Errors
    ///
    /// [`PortsExhausted`].
    pub fn take(&mut self, wanted: SocketAddr) -> Result<(SocketAddr, Option<TakenPort>), PortsExhausted> {
        let port = match (&self.range, wanted.port()) {
            (None, port) => port,
            (Some(range), 0) => {
                let mut ports = (self.next..=*range.end()).chain(*range.start()..self.next);
                let free = ports.find(|port| !self.in_use.contains_key(port));
                let port = free.ok_or_else(|| PortsExhausted { range: range.clone() })?;
                self.next = if port == *range.end() { *range.start() } else { port + 1 };
                port
            }
            (Some(_), port) => port,
        };
        let taken = (port != 0).then(|| {
            *self.in_use.entry(port).or_insert(0) += 1;
            TakenPort(port)
        });
        Ok((SocketAddr::new(wanted.ip(), port), taken))
    }

    /// Returns a port when its endpoint is closed or could not be opened.
    pub fn give_back(&mut self, TakenPort(port): TakenPort) {
        if let Some(count) = self.in_use.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                self.in_use.remove(&port);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(ports: &mut PortManager, port: u16) -> Result<u16, PortsExhausted> {
        ports.take(SocketAddr::from(([127, 0, 0, 1], port))).map(|(address, _)| address.port())
    }

    fn give_back(ports: &mut PortManager, port: u16) {
        ports.give_back(TakenPort(port));
    }

    #[test]
    fn without_a_range_the_system_chooses() {
        for mut ports in [PortManager::default(), PortManager::new(0, 0), PortManager::new(9, 8)] {
            assert_eq!(
                (take(&mut ports, 0), take(&mut ports, 0), take(&mut ports, 40_000)),
                (Ok(0), Ok(0), Ok(40_000))
            );
        }
    }

    #[test]
    fn a_range_is_gone_round_and_what_is_in_use_is_passed_over() {
        let mut ports = PortManager::new(100, 103);
        assert_eq!(take(&mut ports, 101), Ok(101));
        assert_eq!((take(&mut ports, 0), take(&mut ports, 0), take(&mut ports, 0)), (Ok(100), Ok(102), Ok(103)));
        assert_eq!(take(&mut ports, 0), Err(PortsExhausted { range: 100..=103 }));
        assert_eq!(take(&mut ports, 101), Ok(101), "stated ports may be shared; the system decides");
        give_back(&mut ports, 101);
        assert!(take(&mut ports, 0).is_err(), "it has another holder");
        give_back(&mut ports, 101);
        give_back(&mut ports, 100);
        assert_eq!((take(&mut ports, 0), take(&mut ports, 0)), (Ok(100), Ok(101)));
        assert_eq!(take(&mut ports, 50), Ok(50), "beyond the range");
        give_back(&mut ports, 7);
    }

    #[test]
    fn the_next_port_is_beyond_the_last_one() {
        let mut ports = PortManager::new(100, 102);
        assert_eq!(take(&mut ports, 0), Ok(100));
        give_back(&mut ports, 100);
        assert_eq!((take(&mut ports, 0), take(&mut ports, 0), take(&mut ports, 0)), (Ok(101), Ok(102), Ok(100)));
    }

    #[test]
    fn the_highest_port_may_be_in_the_range() {
        let mut ports = PortManager::new(65_535, 65_535);
        assert_eq!(take(&mut ports, 0), Ok(65_535));
        assert!(take(&mut ports, 0).is_err());
    }
}
