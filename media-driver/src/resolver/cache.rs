//! The names learned from other drivers: for each name its address in either family. The gossip adds entries and reads
//! them; each expires after its time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gannet::time::MonotonicNanos;

/// Where a driver is, and when it was heard of last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: SocketAddr,
    pub(super) heard: MonotonicNanos,
}

/// Names in order, so that what is told of them does not depend on how they are kept.
#[derive(Debug)]
pub(super) struct Cache {
    /// IPv4 first, then IPv6. At least one of them is there.
    names: BTreeMap<Box<[u8]>, [Option<Entry>; 2]>,
    length: usize,
    limit: usize,
}

const fn family(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 0 } else { 1 }
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { names: BTreeMap::new(), length: 0, limit }
    }

    /// How many addresses it has.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Remembers what was heard, unless something more recent was. False when there is no room for one more.
    pub(super) fn add(&mut self, name: &[u8], entry: Entry) -> bool {
        let family = family(&entry.address);
        let known = self.names.get_mut(name);
        if let Some(known) = known.as_ref().and_then(|found| found[family]) {
            if known.heard > entry.heard {
                return true;
            }
        } else if self.length >= self.limit {
            return false;
        } else {
            self.length += 1;
        }
        match known {
            Some(found) => found[family] = Some(entry),
            None => {
                let mut found = [None; 2];
                found[family] = Some(entry);
                self.names.insert(name.into(), found);
            }
        }
        true
    }

    /// The address of a name; IPv4 goes first.
    pub(super) fn get(&self, name: &[u8]) -> Option<IpAddr> {
        let [v4, v6] = self.names.get(name)?;
        v4.or(*v6).map(|entry| entry.address.ip())
    }

    /// Forgets what was heard of at this time or before.
    pub(super) fn forget(&mut self, until: MonotonicNanos) {
        self.names.retain(|_, found| {
            for entry in found.iter_mut() {
                if entry.is_some_and(|entry| entry.heard <= until) {
                    *entry = None;
                    self.length -= 1;
                }
            }
            found.iter().any(Option::is_some)
        });
    }

    /// Everything in it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        self.names.iter().flat_map(|(name, found)| found.iter().flatten().map(move |entry| (&**name, *entry)))
    }
}
