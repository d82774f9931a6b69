//! Channel features besides an address, as applications see them: spies, several destinations, responses, tags.

use super::*;

use gannet::ChannelStatus;
use gannet::counters::type_id;

/// A spy reads what this driver sends without the network, and alone keeps a publication connected.
#[test]
fn spies_read_what_is_sent() {
    let (_driver, client) = launch(ThreadingMode::SharedNetwork);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
    let mut spy = client.add_subscription(&format!("aeron-spy:{channel}"), STREAM).unwrap();
    let mut alone = client.add_exclusive_publication(&format!("{channel}|ssc=true"), STREAM).unwrap();
    // Several times the log, so that the spy holds its publisher back, and the position follows it.
    exchange(&mut alone, &mut spy, &[1_000; 400]);
    assert_eq!(spy.images()[0].source_identity(), "aeron:ipc");
    drop(alone);
    wait_for("end of the spied image", || {
        spy.poll(|_| {}, 10);
        spy.image_count() == 0
    });
}

/// A spy and a receiver read the same.
#[test]
fn spies_and_receivers_read_the_same() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    let spy = client.add_subscription(&format!("aeron-spy:{channel}"), STREAM).unwrap();
    let elsewhere = client.add_subscription("aeron-spy:aeron:udp?endpoint=127.0.0.1:9", STREAM).unwrap();
    wait_for("spied image", || spy.image_count() == 1);
    assert!(!publication.is_connected(), "without ssc a spy is nobody to publish to");
    let receiver = client.add_subscription(&channel, STREAM).unwrap();
    deliver_to_all(&mut publication, &mut [spy, receiver]);
    assert_eq!(elsewhere.image_count(), 0);
}

/// A window that is hardly longer than a datagram: what was read of it is told in time, though it is less than a quarter.
#[test]
fn a_window_of_one_datagram_does_not_stop_a_stream() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut publication =
        client.add_exclusive_publication(&format!("{channel}|term-length=64k|mtu=8k"), STREAM).unwrap();
    let mut receiver = client.add_subscription(&format!("{channel}|rcv-wnd=8k"), STREAM).unwrap();
    for length in [1_500, 8_000, 8_000, 1_500, 8_000] {
        exchange(&mut publication, &mut receiver, &[length]);
    }
}

/// A channel's socket options apply to its sockets only: sender and receiver may request different ones.
#[test]
fn sockets_are_as_channels_ask() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
    let mut publication =
        client.add_exclusive_publication(&format!("{channel}|so-tos=184|so-sndbuf=128k"), STREAM).unwrap();
    let mut receiver = client.add_subscription(&format!("{channel}|so-tos=32|so-rcvbuf=256k"), STREAM).unwrap();
    exchange(&mut publication, &mut receiver, &[1_000; 10]);
    let differs = client.add_subscription(&format!("{channel}|so-tos=64"), STREAM + 1).unwrap_err().to_string();
    assert!(differs.contains("so-tos"), "{differs}");
}

/// One subscription receives from two publishers on ports of its own, one over IPC, and one that it spies on.
#[test]
fn a_subscription_listens_at_many_places() {
    let (_sending, publisher) = launch(ThreadingMode::Shared);
    let (_receiving, subscriber) = launch(ThreadingMode::Shared);
    let mut subscription = subscriber.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap();
    let ports = [free_port(), free_port()];
    let places = ports.map(|port| format!("aeron:udp?endpoint=127.0.0.1:{port}"));
    for place in &places {
        subscription.add_destination(place).unwrap();
        let mut publication = publisher.add_exclusive_publication(&format!("{place}|term-length=64k"), STREAM).unwrap();
        exchange(&mut publication, &mut subscription, &[700; 100]);
    }
    subscription.add_destination("aeron:ipc").unwrap();
    let mut local = subscriber.add_exclusive_publication("aeron:ipc?term-length=64k", STREAM).unwrap();
    exchange(&mut local, &mut subscription, &[700; 100]);
    let spied = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k|ssc=true", free_port());
    subscription.add_destination(&format!("aeron-spy:{spied}")).unwrap();
    let mut spied = subscriber.add_exclusive_publication(&spied, STREAM).unwrap();
    exchange(&mut spied, &mut subscription, &[700; 100]);
    subscription.remove_destination("aeron:ipc").unwrap();
    for place in &places {
        subscription.remove_destination(place).unwrap();
    }
    subscription.remove_destination("aeron:ipc").unwrap_err();
    subscription.add_destination("aeron:udp?endpoint=127.0.0.1:0|rcv-wnd=8k").unwrap_err();
    // The ports are free again.
    wait_for("free ports", || ports.iter().all(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok()));
}

/// Two copies of one stream reach a subscription by two paths, and it reads each message once.
#[test]
fn copies_of_a_stream_are_one_image() {
    let (_receiving, subscriber) = launch(ThreadingMode::Shared);
    let (_sending, publisher) = launch(ThreadingMode::Shared);
    let places = [0; 2].map(|_| format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()));
    let mut subscription = subscriber.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap();
    let mut publication =
        publisher.add_exclusive_publication("aeron:udp?control-mode=manual|term-length=64k", STREAM).unwrap();
    for place in &places {
        subscription.add_destination(place).unwrap();
        publication.add_destination(place).unwrap();
    }
    exchange(&mut publication, &mut subscription, &[700; 300]);
    assert_eq!(subscription.image_count(), 1);
    subscription.remove_destination(&places[0]).unwrap();
    exchange(&mut publication, &mut subscription, &[700; 300]);
}

/// Two clients that name one channel by its tag share its destinations. One that is there cannot be added again, by either of
/// them, and that harms nobody. Either of them can remove it, and the stream goes on when it is added anew.
#[test]
fn clients_share_the_destinations_of_a_tagged_channel() {
    let (driver, first) = launch(ThreadingMode::Shared);
    let second = Client::connect(context(driver.dir())).unwrap();
    let (_sending, publisher) = launch(ThreadingMode::Shared);
    let place = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut subscriptions = [
        first.add_subscription("aeron:udp?control-mode=manual|tags=5", STREAM).unwrap(),
        second.add_subscription("aeron:udp?tags=5", STREAM).unwrap(),
    ];
    subscriptions[0].add_destination(&place).unwrap();
    for subscription in &subscriptions {
        subscription.add_destination(&place).unwrap_err();
    }
    let mut publication = publisher.add_exclusive_publication(&format!("{place}|term-length=64k"), STREAM).unwrap();
    deliver_to_all(&mut publication, &mut subscriptions);
    subscriptions[1].remove_destination(&place).unwrap();
    subscriptions[0].add_destination(&place).unwrap();
    deliver_to_all(&mut publication, &mut subscriptions);
}

/// A server answers a request on a publication of its own, without knowing the client's address beforehand.
#[test]
fn a_request_is_answered_on_a_response_channel() {
    let (_serving, server) = launch(ThreadingMode::Shared);
    let (_asking, client) = launch(ThreadingMode::Shared);
    let (requests, control) = (free_port(), free_port());
    let requests = format!("aeron:udp?endpoint=127.0.0.1:{requests}|term-length=64k");
    let answers = format!("aeron:udp?control-mode=response|control=127.0.0.1:{control}|term-length=64k");
    let mut asked = server.add_subscription(&requests, STREAM).unwrap();
    let mut answered = client.add_subscription(&answers, STREAM + 1).unwrap();
    let correlation = answered.registration_id();
    client.add_exclusive_publication(&format!("{requests}|response-correlation-id=123456"), STREAM).unwrap_err();
    let mut request =
        client.add_exclusive_publication(&format!("{requests}|response-correlation-id={correlation}"), STREAM).unwrap();
    exchange(&mut request, &mut asked, &[200; 10]);
    let image = asked.images()[0].correlation_id();
    server.add_exclusive_publication(&answers, STREAM + 1).unwrap_err();
    let mut answer =
        server.add_exclusive_publication(&format!("{answers}|response-correlation-id={image}"), STREAM + 1).unwrap();
    exchange(&mut answer, &mut answered, &[900; 300]);
    assert_eq!(answered.image_count(), 1);
}

/// A channel that consists only of a tag refers to the channel with that tag.
#[test]
fn tags_name_channels() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    client.add_subscription("aeron:udp?tags=5", STREAM).unwrap_err();
    client.add_exclusive_publication("aeron:udp?tags=5", STREAM).unwrap_err();
    let port = free_port();
    let mut subscription =
        client.add_subscription(&format!("aeron:udp?endpoint=127.0.0.1:{port}|tags=5"), STREAM).unwrap();
    let same = client.add_subscription("aeron:udp?tags=5", STREAM).unwrap();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=64k|tags=7,8");
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    let tagged = client.add_exclusive_publication("aeron:udp?tags=7|session-id=tag:8", STREAM + 1).unwrap();
    assert_eq!(tagged.session_id(), publication.session_id());
    exchange(&mut publication, &mut subscription, &[300; 50]);
    wait_for("image", || same.image_count() == 1);
    let other = format!("aeron:udp?endpoint=127.0.0.1:{}|tags=7", free_port());
    let error = client.add_exclusive_publication(&other, STREAM).unwrap_err().to_string();
    assert!(error.contains("tag"), "{error}");
    let mut endpoints = 0;
    client.counters().for_each(|counter| endpoints += usize::from(counter.type_id == type_id::SEND_CHANNEL_STATUS));
    assert_eq!(endpoints, 1, "one endpoint has them all");
}

/// Applications may leave ports to the driver, and can query them.
#[test]
fn ports_that_the_driver_chose_are_told() {
    let (_receiving, subscriber) = launch(ThreadingMode::Shared);
    let (_sending, publisher) = launch(ThreadingMode::Shared);
    let mut subscription = subscriber.add_subscription("aeron:udp?endpoint=localhost:0|alias=a:0", STREAM).unwrap();
    assert_eq!(subscription.channel_status(), ChannelStatus::Active);
    let [bound] = subscription.local_socket_addresses()[..] else { panic!("one socket") };
    assert!(bound.ip().is_loopback() && bound.port() != 0, "{bound}");
    let channel = subscription.try_resolve_channel_endpoint_port().unwrap();
    assert_eq!(channel, format!("aeron:udp?endpoint=localhost:{}|alias=a:0", bound.port()));
    assert_eq!(subscription.channel(), "aeron:udp?endpoint=localhost:0|alias=a:0");
    let mut publication = publisher.add_exclusive_publication(&format!("{channel}|term-length=64k"), STREAM).unwrap();
    exchange(&mut publication, &mut subscription, &[300; 50]);
    let [from] = publication.local_socket_addresses()[..] else { panic!("one socket") };
    assert!(from.ip().is_loopback() && from.port() != 0 && from != bound, "{from}");

    // Two endpoints of one client are distinguished.
    let shared = publisher.add_publication("aeron:udp?control=127.0.0.1:0|control-mode=dynamic", STREAM).unwrap();
    let [control] = shared.local_socket_addresses()[..] else { panic!("one socket") };
    assert!(control.port() != 0 && control != from, "{control}");

    // Of several destinations none is the channel's own.
    let many = subscriber.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap();
    assert_eq!(many.local_socket_addresses(), []);
    for count in 1..=2 {
        many.add_destination("aeron:udp?endpoint=127.0.0.1:0").unwrap();
        assert_eq!(many.local_socket_addresses().len(), count);
    }
    assert_eq!(many.try_resolve_channel_endpoint_port().as_deref(), Some("aeron:udp?control-mode=manual"));

    // Without a socket there is nothing to report.
    for channel in ["aeron:ipc", "aeron-spy:aeron:udp?endpoint=127.0.0.1:0"] {
        let local = subscriber.add_subscription(channel, STREAM).unwrap();
        assert_eq!(local.channel_status(), ChannelStatus::Active, "what is not there cannot fail");
        assert_eq!(local.local_socket_addresses(), []);
        assert_eq!(local.try_resolve_channel_endpoint_port().as_deref(), Some(channel));
    }
}

/// A subscription that states only its sender's control address listens at a port chosen by the system, and registers
/// there.
#[test]
fn a_subscription_needs_no_endpoint_where_it_registers() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let control = free_port();
    let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|term-length=64k");
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    let mut subscription = client.add_subscription(&format!("aeron:udp?control=127.0.0.1:{control}"), STREAM).unwrap();
    exchange(&mut publication, &mut subscription, &[900; 100]);
}

/// A destination that the system cannot send to, here one of another address family than its socket, does not affect
/// others.
#[test]
fn a_destination_that_nothing_is_sent_to_holds_up_no_other() {
    for (transport, tried_directly) in WAYS {
        let mut config = config(ThreadingMode::Shared);
        (config.process.transport, config.process.sockets_tried_directly) = (transport, tried_directly);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(context(driver.dir())).unwrap();
        let mut publication =
            client.add_exclusive_publication("aeron:udp?control-mode=manual|term-length=64k", STREAM).unwrap();
        let place = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        let mut subscription = client.add_subscription(&place, STREAM).unwrap();
        publication.add_destination("aeron:udp?endpoint=[::1]:9").unwrap();
        publication.add_destination(&place).unwrap();
        // Several times the log.
        exchange(&mut publication, &mut subscription, &[1_000; 400]);
        let short_sends = gannet::types::CounterId::new(SystemCounter::ShortSends as i32);
        assert!(client.counters().get(short_sends).unwrap().value > 0, "{transport:?}");
    }
}

/// A channel or destination that was just removed can be added again: its socket is closed first, however long its
/// thread sleeps.
#[test]
fn what_was_closed_can_be_opened_again_at_once() {
    for mode in [ThreadingMode::Shared, ThreadingMode::SharedNetwork, ThreadingMode::Dedicated] {
        let mut config = config(mode);
        let threads = &mut config.threads;
        for args in [
            &mut threads.shared_idle_args,
            &mut threads.shared_network_idle_args,
            &mut threads.sender_idle_args,
            &mut threads.receiver_idle_args,
        ] {
            *args = "10ms".to_owned();
        }
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(context(driver.dir())).unwrap();
        let endpoint = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        let control = format!("aeron:udp?control=127.0.0.1:{}|control-mode=dynamic|term-length=64k", free_port());
        let many = client.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap();
        let place = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        for _ in 0..10 {
            drop(client.add_subscription(&endpoint, STREAM).unwrap());
            drop(client.add_exclusive_publication(&control, STREAM).unwrap());
            many.add_destination(&place).unwrap();
            many.remove_destination(&place).unwrap();
            // The same address by another name is another channel.
            drop(client.add_subscription(&endpoint.replace("127.0.0.1", "localhost"), STREAM).unwrap());
        }
    }
}

/// Counters show the number of receivers and destinations, the window, and how much was sent.
#[test]
fn counters_show_receivers_destinations_and_windows() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let control = free_port();
    let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min|term-length=64k");
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    let place = format!("aeron:udp?endpoint=127.0.0.1:{}|control=127.0.0.1:{control}|cc=cubic", free_port());
    let mut subscription = client.add_subscription(&place, STREAM).unwrap();
    exchange(&mut publication, &mut subscription, &[900; 100]);
    let value = |type_id: i32, name: &str| {
        let mut value = None;
        client.counters().for_each(|counter| {
            if counter.type_id == type_id && counter.label.to_string().starts_with(name) {
                value = Some(counter.value);
            }
        });
        value.unwrap_or_else(|| panic!("no {name}"))
    };
    // Both forget a receiver that says nothing for 5 s, as on a machine that stands still, until it says something again.
    wait_for("one receiver", || value(type_id::FLOW_CONTROL_RECEIVERS, "fc-receivers: ") == 1);
    wait_for("one destination", || value(type_id::MDC_DESTINATIONS, "mdc-num-dest: ") == 1);
    assert!(value(type_id::PER_IMAGE, "rcv-cc-cubic-wnd: ") >= 10 * 1408);
    assert_eq!(value(type_id::PER_IMAGE, "rcv-cc-cubic-rtt: "), 0, "it is not measured unless that is asked for");
    let system = |counter: SystemCounter| client.counters().value(counter.id()).unwrap();
    assert!(system(SystemCounter::BytesSent) >= 100 * 900 && system(SystemCounter::BytesReceived) >= 100 * 900);
    assert_eq!(subscription.images()[0].info().active_transport_count(), 1);
    drop((publication, subscription));
    wait_for("counters to go", || {
        let mut left = 0;
        client.counters().for_each(|counter| {
            let gone = [type_id::FLOW_CONTROL_RECEIVERS, type_id::MDC_DESTINATIONS, type_id::PER_IMAGE];
            left += usize::from(gone.contains(&counter.type_id));
        });
        left == 0
    });
}

/// Messages carry the times at which they were sent, at which the receiver's operating system got them, and at which
/// its driver did.
#[test]
fn messages_carry_times() {
    /// The first of September 2020, in nanoseconds since 1970.
    const LATELY: i64 = 1_598_918_400_000_000_000;
    for (transport, tried_directly) in WAYS {
        let mut config = config(ThreadingMode::Shared);
        (config.process.transport, config.process.sockets_tried_directly) = (transport, tried_directly);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(context(driver.dir())).unwrap();
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        let times = "channel-rcv-ts-offset=reserved|media-rcv-ts-offset=0";
        let mut subscription = client.add_subscription(&format!("{channel}|{times}"), STREAM).unwrap();
        client.add_subscription(&format!("{channel}|channel-rcv-ts-offset=16"), STREAM).unwrap_err();
        client
            .add_subscription(&format!("{channel}|channel-rcv-ts-offset=7|media-rcv-ts-offset=0"), STREAM)
            .unwrap_err();
        let sending = format!("{channel}|channel-snd-ts-offset=8|term-length=64k");
        let mut publication = client.add_exclusive_publication(&sending, STREAM).unwrap();
        wait_for("room", || publication.offer(&[0; 16]).is_ok());
        let mut seen = None;
        wait_for("message", || {
            subscription.poll(
                |fragment| {
                    let time = |at: usize| i64::from_le_bytes(fragment.payload()[at..at + 8].try_into().unwrap());
                    seen = Some([time(8), time(0), fragment.reserved_value()]);
                },
                1,
            );
            seen.is_some()
        });
        assert!(seen.is_some_and(|times| times.iter().all(|time| *time > LATELY)), "{seen:?}");
    }
}
