//! The names learned from other drivers: for each name its address in either family. The gossip adds entries and reads
//! them; each expires after its time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gannet::time::MonotonicNanos;

/// The address of a driver, and when it was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: SocketAddr,
    pub(super) heard: MonotonicNanos,
}

/// The names are ordered, so that the output does not depend on the data structure.
#[derive(Debug)]
pub(super) struct Cache {
    /// The IPv4 address, then the IPv6 address. At least one of them is present.
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

    /// The number of addresses.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds an entry, unless there is a more recent one. Returns false if there is no space.
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

    /// The address of a name, IPv4 first.
    pub(super) fn get(&self, name: &[u8]) -> Option<IpAddr> {
        let [v4, v6] = self.names.get(name)?;
        v4.or(*v6).map(|entry| entry.address.ip())
    }

    /// What is known of a name in the family of an address.
    pub(super) fn of_family(&self, name: &[u8], address: &SocketAddr) -> Option<Entry> {
        self.names.get(name)?[family(address)]
    }

    /// Removes the entries that were last heard of at this time or before.
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

    /// All entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        self.names.iter().flat_map(|(name, found)| found.iter().flatten().map(move |entry| (&**name, *entry)))
    }
}
