//! The drivers to which names are sent. The gossip stores them by address; silent ones are removed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gannet::time::MonotonicNanos;

/// The addresses of neighbors, and when each was last heard.
#[derive(Debug)]
pub(super) struct Neighbors {
    heard: BTreeMap<SocketAddr, MonotonicNanos>,
    limit: usize,
}

impl Neighbors {
    pub(super) const fn new(limit: usize) -> Self {
        Self { heard: BTreeMap::new(), limit }
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    pub(super) fn contains(&self, address: &SocketAddr) -> bool {
        self.heard.contains_key(address)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.heard.keys().copied()
    }

    /// Adds a neighbor, or updates its time. A known neighbor is only updated if it was heard itself. Returns false if
    /// there is no space.
    pub(super) fn add(&mut self, address: SocketAddr, heard: MonotonicNanos, itself: bool) -> bool {
        if let Some(known) = self.heard.get_mut(&address) {
            if itself {
                *known = heard;
            }
            return true;
        }
        let fits = self.heard.len() < self.limit;
        if fits {
            self.heard.insert(address, heard);
        }
        fits
    }

    /// Removes neighbors that were last heard at this time or before.
    pub(super) fn forget(&mut self, until: MonotonicNanos) {
        self.heard.retain(|_, heard| *heard > until);
    }
}
