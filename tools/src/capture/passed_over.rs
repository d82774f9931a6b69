//! Decides which packets of a capture are messages, and counts the others by reason. Called by `source`.

use pcap_parser::Linktype;

use super::packet::{Content, content};

/// A packet as it is in the file.
pub(super) struct Packet<'a> {
    pub(super) link: Linktype,
    pub(super) bytes: &'a [u8],
    /// Whether the capture kept all of the packet's bytes.
    pub(super) is_whole: bool,
}

/// Numbers of packets that were not messages, by reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PassedOver {
    /// Not UDP over IPv4 or IPv6.
    pub(crate) not_udp: u64,
    /// Fragments of datagrams that IP split up.
    pub(crate) ip_fragments: u64,
    /// Packets cut short by the capture's length limit.
    pub(crate) cut_short: u64,
    /// Headers that contradict each other or the packet's length.
    pub(crate) malformed: u64,
    /// Captured on a type of link that is not supported.
    pub(crate) unknown_link: u64,
}

impl PassedOver {
    /// Adds the counts of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        self.not_udp += other.not_udp;
        self.ip_fragments += other.ip_fragments;
        self.cut_short += other.cut_short;
        self.malformed += other.malformed;
        self.unknown_link += other.unknown_link;
    }

    /// The number of all packets that were not messages.
    pub(crate) fn total(&self) -> u64 {
        self.not_udp + self.ip_fragments + self.cut_short + self.malformed + self.unknown_link
    }

    /// The counts as text, such as `3 not UDP, 1 cut short`; empty when no packet was skipped.
    pub(crate) fn describe(&self) -> String {
        [
            (self.not_udp, "not UDP"),
            (self.ip_fragments, "IP fragments"),
            (self.cut_short, "cut short by the capture's length limit"),
            (self.malformed, "malformed"),
            (self.unknown_link, "on an unsupported kind of link"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>()
        .join(", ")
    }

    /// Returns the packet's payload if it is a message. Otherwise counts the reason why not.
    pub(super) fn judge<'a>(&mut self, packet: &Packet<'a>) -> Option<&'a [u8]> {
        let count = match content(packet.link, packet.bytes) {
            Content::Payload(payload) if packet.is_whole => return Some(payload),
            Content::UnknownLink => &mut self.unknown_link,
            Content::NotUdp => &mut self.not_udp,
            Content::IpFragment => &mut self.ip_fragments,
            _ if !packet.is_whole => &mut self.cut_short,
            _ => &mut self.malformed,
        };
        *count += 1;
        None
    }
}
