//! Finds the transmits that can be sent together. Consecutive datagrams from one endpoint to one address, all of one
//! length except for a shorter last one, can be passed to the kernel as one message, which it splits again:
//! segmentation offload.

use gannet::logbuffer::committed;

use crate::mailbox::{Content, Transmit};

/// The maximum number of datagrams into which every supporting kernel splits one message.
pub(super) const MAX_SEGMENTS: usize = 64;
/// The maximum length of one message in bytes: an IP datagram with its headers.
const MAX_SEGMENTED_BYTES: usize = 65_000;

/// The bytes of a transmit. `None` if its log does not have them, which is a bug of the sender.
pub(crate) fn bytes_of(transmit: &Transmit) -> Option<&[u8]> {
    match &transmit.content {
        Content::Log { log, position, length } => committed(log, *position, *length),
        Content::Frame(frame) => Some(frame.as_bytes()),
        Content::Long(bytes) => Some(bytes),
    }
}

/// The length of a transmit in bytes.
pub(crate) fn length_of(transmit: &Transmit) -> usize {
    transmit.content.length()
}

/// The number of transmits, from the first on, of the same endpoint.
pub(super) fn same_endpoint(transmits: &[Transmit]) -> usize {
    let Some(first) = transmits.first() else { return 0 };
    transmits.iter().take_while(|transmit| transmit.endpoint == first.endpoint).count()
}

/// The number of transmits, from the first on, that can be sent as one message. At least one. All are of one endpoint.
pub(super) fn segments(transmits: &[Transmit]) -> usize {
    let Some(first) = transmits.first() else { return 0 };
    let each = length_of(first);
    let (mut count, mut bytes) = (1, each);
    for transmit in transmits[1..].iter().take(MAX_SEGMENTS - 1) {
        let length = length_of(transmit);
        if transmit.to != first.to || length > each || length == 0 || bytes + length > MAX_SEGMENTED_BYTES {
            break;
        }
        count += 1;
        bytes += length;
        if length < each {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::mailbox::{EndpointId, TransmitTag};

    fn transmit(endpoint: u32, port: u16, length: usize) -> Transmit {
        Transmit {
            endpoint: EndpointId::new(endpoint),
            to: SocketAddr::from(([127, 0, 0, 1], port)),
            content: Content::Long(vec![0; length].into()),
            tag: TransmitTag::Control,
        }
    }

    fn run(lengths: &[usize]) -> usize {
        segments(&lengths.iter().map(|&length| transmit(1, 9, length)).collect::<Vec<_>>())
    }

    #[test]
    fn equal_lengths_and_a_shorter_last_one_go_together() {
        assert_eq!(run(&[]), 0);
        assert_eq!(run(&[64]), 1);
        assert_eq!(run(&[64, 64, 64]), 3);
        assert_eq!(run(&[64, 64, 32, 32]), 3);
        assert_eq!(run(&[64, 96]), 1);
        assert_eq!(run(&[64, 0]), 1);
        assert_eq!(run(&[32; 100]), MAX_SEGMENTS);
        assert_eq!(run(&[1408; 100]), 46);
        assert_eq!(run(&[65_504, 65_504]), 1);
    }

    #[test]
    fn another_address_or_endpoint_ends_a_run() {
        let transmits = [transmit(1, 9, 64), transmit(1, 9, 64), transmit(1, 8, 64), transmit(2, 8, 64)];
        assert_eq!(segments(&transmits), 2);
        assert_eq!(same_endpoint(&transmits), 3);
        assert_eq!(same_endpoint(&transmits[3..]), 1);
    }
}
