//! Finds the UDP payload in one captured packet, given the type of link that it was captured on. Called by `source`.
//! Trusts no length in any header: a packet that contradicts itself is malformed.

use etherparse::err::packet::SliceError;
use etherparse::{EtherType, SlicedPacket, TransportSlice};
use pcap_parser::Linktype;

/// Length of the first of the two "cooked" headers, which Linux writes for a device that has no link header of its own.
const COOKED_V1_LENGTH: usize = 16;
const COOKED_V2_LENGTH: usize = 20;
/// Offset of the EtherType of the protocol that follows, in network byte order.
const COOKED_V1_PROTOCOL: usize = 14;
const COOKED_V2_PROTOCOL: usize = 0;
/// Length of BSD's loopback header: one word with the address family, in the byte order of the capturing machine.
const LOOPBACK_LENGTH: usize = 4;

/// What a packet contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// The payload of a complete UDP datagram.
    Payload(&'a [u8]),
    /// A fragment of a datagram that IP split up. It is not a message.
    IpFragment,
    /// Another protocol.
    NotUdp,
    /// Headers that contradict each other or the packet's length.
    Malformed,
    /// A link type that is not supported.
    UnknownLink,
}

/// Finds the UDP payload of `packet`, captured on a link of type `link`.
pub(super) fn content(link: Linktype, packet: &[u8]) -> Content<'_> {
    let sliced = match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(packet),
        // Some systems wrote 12 or 14 for raw IP before it had a number of its own.
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12 | 14) => SlicedPacket::from_ip(packet),
        Linktype::NULL | Linktype::LOOP => match packet.get(LOOPBACK_LENGTH..) {
            Some(ip) => SlicedPacket::from_ip(ip),
            None => return Content::Malformed,
        },
        Linktype::LINUX_SLL => return cooked(packet, COOKED_V1_PROTOCOL, COOKED_V1_LENGTH),
        Linktype::LINUX_SLL2 => return cooked(packet, COOKED_V2_PROTOCOL, COOKED_V2_LENGTH),
        _ => return Content::UnknownLink,
    };
    udp_payload(sliced)
}

fn cooked(packet: &[u8], protocol_at: usize, header_length: usize) -> Content<'_> {
    let (Some(&[high, low]), Some(rest)) = (packet.get(protocol_at..protocol_at + 2), packet.get(header_length..))
    else {
        return Content::Malformed;
    };
    udp_payload(SlicedPacket::from_ether_type(EtherType(u16::from_be_bytes([high, low])), rest))
}

fn udp_payload<'a>(sliced: Result<SlicedPacket<'a>, SliceError>) -> Content<'a> {
    match sliced {
        Ok(packet) if packet.is_ip_payload_fragmented() => Content::IpFragment,
        Ok(SlicedPacket { transport: Some(TransportSlice::Udp(udp)), .. }) => Content::Payload(udp.payload()),
        Ok(_) => Content::NotUdp,
        Err(_) => Content::Malformed,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    /// An Ethernet frame around an IPv4 datagram around `payload`.
    pub(crate) fn ethernet(payload: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, 0, 1], [239, 0, 0, 1], 8).udp(1000, 2000);
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).expect("a vector takes it all");
        packet
    }

    fn ip_v4(payload: &[u8]) -> Vec<u8> {
        ethernet(payload).split_off(14)
    }

    fn ip_v6(payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        PacketBuilder::ipv6([1; 16], [2; 16], 8)
            .udp(1000, 2000)
            .write(&mut packet, payload)
            .expect("a vector takes it all");
        packet
    }

    #[test]
    fn finds_the_payload_on_every_link() {
        let payload = b"a payload";
        let expected = Content::Payload(payload);
        assert_eq!(content(Linktype::ETHERNET, &ethernet(payload)), expected);
        assert_eq!(content(Linktype::RAW, &ip_v4(payload)), expected);
        assert_eq!(content(Linktype::RAW, &ip_v6(payload)), expected);
        assert_eq!(content(Linktype::IPV6, &ip_v6(payload)), expected);
        assert_eq!(content(Linktype::NULL, &[&[2, 0, 0, 0], &ip_v4(payload)[..]].concat()), expected);

        let mut cooked_v1 = [0_u8; COOKED_V1_LENGTH];
        cooked_v1[COOKED_V1_PROTOCOL..].copy_from_slice(&0x0800_u16.to_be_bytes());
        assert_eq!(content(Linktype::LINUX_SLL, &[&cooked_v1[..], &ip_v4(payload)].concat()), expected);

        let mut cooked_v2 = [0_u8; COOKED_V2_LENGTH];
        cooked_v2[..2].copy_from_slice(&0x86dd_u16.to_be_bytes());
        assert_eq!(content(Linktype::LINUX_SLL2, &[&cooked_v2[..], &ip_v6(payload)].concat()), expected);
    }

    #[test]
    fn looks_through_vlan_tags_and_past_the_padding_of_short_frames() {
        let plain = ethernet(b"x");
        let mut tagged = plain[..12].to_vec();
        tagged.extend([0x81, 0x00, 0x00, 0x05]);
        tagged.extend(&plain[12..]);
        tagged.resize(64, 0);
        assert_eq!(content(Linktype::ETHERNET, &tagged), Content::Payload(b"x"));
    }

    #[test]
    fn tells_what_is_no_whole_datagram() {
        let whole = ethernet(b"a payload");
        assert_eq!(content(Linktype::ETHERNET, &whole[..whole.len() - 1]), Content::Malformed);
        assert_eq!(content(Linktype(9999), &whole), Content::UnknownLink);

        let mut tcp = Vec::new();
        PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 8)
            .tcp(1, 2, 3, 4)
            .write(&mut tcp, b"x")
            .expect("a vector takes it all");
        assert_eq!(content(Linktype::ETHERNET, &tcp), Content::NotUdp);

        let mut fragment = whole;
        fragment[14 + 6] |= 0x20; // "more fragments"
        assert_eq!(content(Linktype::ETHERNET, &fragment), Content::IpFragment);
    }

    proptest! {
        #[test]
        fn any_bytes_on_any_link_are_answered(link in 0..300_i32, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            content(Linktype(link), &bytes);
        }

        #[test]
        fn any_damage_to_a_frame_is_answered(at in 0..60_usize, value in any::<u8>(), cut in 0..70_usize) {
            let mut frame = ethernet(b"some payload of a message");
            let length = frame.len();
            frame[at % length] = value;
            content(Linktype::ETHERNET, &frame[..cut.min(length)]);
        }
    }
}
