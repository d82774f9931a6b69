//! What a driver's counters say about the endpoint of a channel: its status, and the addresses to which its sockets are
//! bound. Handles call this. Any process may write these counters, so contradictory values are skipped.

use std::net::{IpAddr, SocketAddr};

use crate::channel_uri::{ChannelUri, Host, HostAndPort};
use crate::counters::{ChannelStatus, CountersReader, SockaddrKey, type_id};
use crate::types::CounterId;

/// The status in the status counter `id`. [`ChannelStatus::NoCounter`] if the counter has another type.
pub(super) fn channel_status(counters: &CountersReader, id: CounterId) -> ChannelStatus {
    match counters.get(id) {
        Some(counter) if matches!(counter.type_id, type_id::SEND_CHANNEL_STATUS | type_id::RECEIVE_CHANNEL_STATUS) => {
            ChannelStatus::from_value(counter.value)
        }
        _ => ChannelStatus::NoCounter,
    }
}

/// The addresses of the active sockets of the channel with this status counter, in the order of their counters.
pub(super) fn local_socket_addresses(counters: &CountersReader, status: CounterId) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    counters.for_each(|counter| {
        if counter.type_id == type_id::LOCAL_SOCKADDR
            && ChannelStatus::from_value(counter.value) == ChannelStatus::Active
            && let Some(key) = SockaddrKey::read(&counter.key)
            && key.channel_status_id == status
        {
            addresses.extend(socket_address(key.address));
        }
    });
    addresses
}

/// The channel with the port of `bound` in place of port 0 in its endpoint. Unchanged if the endpoint has another port,
/// or if there is none.
pub(super) fn with_endpoint_port(channel: &str, bound: SocketAddr) -> String {
    let Some(host) = wildcard_host(channel) else { return channel.to_owned() };
    let (start, params) = channel.split_once('?').unwrap_or((channel, ""));
    let params = params.split('|').map(|param| match param.split_once('=') {
        // If there are several endpoints, the last one is used.
        Some(("endpoint", _)) => format!("endpoint={host}:{}", bound.port()),
        _ => param.to_owned(),
    });
    format!("{start}?{}", params.collect::<Vec<_>>().join("|"))
}

/// The host of a channel's endpoint with port 0.
fn wildcard_host(channel: &str) -> Option<String> {
    let uri = ChannelUri::parse(channel).ok()?;
    let endpoint = uri.params().endpoint.as_ref().filter(|endpoint| endpoint.port() == 0)?;
    Some(endpoint.text().rsplit_once(':')?.0.to_owned())
}

fn socket_address(text: &[u8]) -> Option<SocketAddr> {
    let text = core::str::from_utf8(text).ok()?;
    // Java's driver writes the scope of an address as the interface's name, which the standard library does not parse.
    text.parse().ok().or_else(|| {
        let address = HostAndPort::parse(text)?;
        let ip: IpAddr = match address.host() {
            Host::V4(ip) => (*ip).into(),
            Host::V6(ip) => (*ip).into(),
            Host::Name(_) => return None,
        };
        Some(SocketAddr::new(ip, address.port()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::counters::{
        COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, ChannelCounter, CounterKey, CounterSpec, CountersManager,
        SockaddrCounter, channel_status as value,
    };
    use crate::memory::AtomicBuffer;
    use crate::time::EpochMillis;
    use crate::types::RegistrationId;

    const ID: RegistrationId = RegistrationId::new(9);

    fn counters() -> (CountersManager, CountersReader) {
        let metadata = AtomicBuffer::heap(16 * COUNTER_METADATA_LENGTH);
        let values = AtomicBuffer::heap(16 * COUNTER_VALUE_LENGTH);
        let reader = CountersReader::new(metadata.clone(), values.clone()).unwrap();
        (CountersManager::new(metadata, values, Duration::ZERO).unwrap(), reader)
    }

    fn sockaddr(status: CounterId, address: &str) -> CounterSpec {
        CounterSpec::local_sockaddr(SockaddrCounter::Receive, status, address, ID).starting_at(value::ACTIVE)
    }

    #[test]
    fn addresses_are_those_of_the_endpoint_that_work() {
        let (mut manager, reader) = counters();
        let now = EpochMillis::new(0);
        let mut make = |spec: &CounterSpec| manager.allocate(now, spec).unwrap();
        let [own, other] = ["aeron:udp?endpoint=localhost:0", "aeron:udp?endpoint=localhost:7"]
            .map(|channel| make(&CounterSpec::channel(ChannelCounter::ReceiveStatus, channel, ID)));
        make(&sockaddr(own, "127.0.0.1:40001"));
        make(&sockaddr(other, "127.0.0.1:40002"));
        make(&sockaddr(own, "127.0.0.1:40003").starting_at(value::CLOSING));
        make(&sockaddr(own, "[::1]:40004"));
        make(&sockaddr(own, "[fe80::1%eth0]:40005"));
        let addresses = ["127.0.0.1:40001", "[::1]:40004", "[fe80::1]:40005"].map(|text| text.parse().unwrap());
        assert_eq!(local_socket_addresses(&reader, own), addresses);
    }

    #[test]
    fn a_status_is_that_of_a_status_counter() {
        let (mut manager, reader) = counters();
        let now = EpochMillis::new(0);
        for (kind, stored, status) in [
            (ChannelCounter::SendStatus, value::ERRORED, ChannelStatus::Errored),
            (ChannelCounter::ReceiveStatus, value::ACTIVE, ChannelStatus::Active),
            (ChannelCounter::ReceiveStatus, 7, ChannelStatus::Unknown(7)),
            (ChannelCounter::MdcDestinations, value::ACTIVE, ChannelStatus::NoCounter),
        ] {
            let spec = CounterSpec::channel(kind, "aeron:udp?endpoint=localhost:0", ID).starting_at(stored);
            let id = manager.allocate(now, &spec).unwrap();
            assert_eq!(channel_status(&reader, id), status);
            manager.free(now, id);
            assert_eq!(channel_status(&reader, id), ChannelStatus::NoCounter, "freed");
        }
        for id in [-1, 15, 16, i32::MIN, i32::MAX] {
            assert_eq!(channel_status(&reader, CounterId::new(id)), ChannelStatus::NoCounter);
        }
    }

    #[test]
    fn what_is_no_address_is_passed_over() {
        let (mut manager, reader) = counters();
        let status = CounterId::new(0);
        let mut keys = ["", "127.0.0.1", "127.0.0.1:65536", "localhost:9"]
            .map(|address| SockaddrKey { channel_status_id: status, address: address.as_bytes() }.key())
            .to_vec();
        keys.push(SockaddrKey { channel_status_id: status, address: &[0xff; 9] }.key());
        for length in [-1, 104, i32::MAX, i32::MIN] {
            let mut bytes = [b'1'; CounterKey::MAX_LENGTH];
            bytes[..4].copy_from_slice(&status.get().to_le_bytes());
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            keys.push(CounterKey::new(&bytes));
        }
        for key in keys {
            let mut spec = sockaddr(status, "");
            spec.key = key;
            manager.allocate(EpochMillis::new(0), &spec).unwrap();
        }
        assert_eq!(local_socket_addresses(&reader, status), []);
        manager.allocate(EpochMillis::new(0), &sockaddr(status, "127.0.0.1:1")).unwrap();
        assert_eq!(local_socket_addresses(&reader, status).len(), 1, "what is one is still found behind them");
    }

    #[test]
    fn only_an_endpoint_with_port_0_gets_the_port() {
        let bound = "192.0.2.1:40123".parse().unwrap();
        for (channel, expected) in [
            ("aeron:udp?endpoint=localhost:0", "aeron:udp?endpoint=localhost:40123"),
            ("aeron:udp?alias=a:0|endpoint=[::1]:0|mtu=8k", "aeron:udp?alias=a:0|endpoint=[::1]:40123|mtu=8k"),
            ("aeron:udp?endpoint=a:5|endpoint=b:0", "aeron:udp?endpoint=b:40123|endpoint=b:40123"),
            ("aeron:udp?endpoint=a:10", "aeron:udp?endpoint=a:10"),
            ("aeron:udp?endpoint=a:0|endpoint=b:5", "aeron:udp?endpoint=a:0|endpoint=b:5"),
            ("aeron:udp?control=a:0|control-mode=dynamic", "aeron:udp?control=a:0|control-mode=dynamic"),
            ("aeron:ipc", "aeron:ipc"),
            ("no channel", "no channel"),
        ] {
            assert_eq!(with_endpoint_port(channel, bound), expected);
        }
    }
}
