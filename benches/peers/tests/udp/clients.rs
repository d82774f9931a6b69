//! Aeron's C client, as it is, on drivers of both kinds over UDP: what an application does with publications and
//! subscriptions once its driver is replaced.

use crate::hosts::{STREAM, free_port, message, start_driver, wait_for};
use gannet::counters::{channel_status, type_id};
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::client::OfferError;
use gannet_peers::driver::{DriverKind, DriverProcess};
use gannet_peers::endpoint::{
    CStack, Delivery, Endpoint, EndpointSettings, GannetStack, Kind, PublicationEnd, Report, Stack, SubscriptionEnd,
};
use std::thread;
use std::time::Duration;

/// The drivers of sender and receiver. The first pairing validates the scenario.
const PAIRINGS: [(DriverKind, DriverKind); 4] = [
    (DriverKind::Aeron, DriverKind::Aeron),
    (DriverKind::Gannet, DriverKind::Gannet),
    (DriverKind::Gannet, DriverKind::Aeron),
    (DriverKind::Aeron, DriverKind::Gannet),
];
const IMAGE_REJECTED: i32 = 13;
const TERM: &str = "term-length=64k";

/// A driver and a C client of it. The client is dropped first, and the directory last.
struct Site {
    client: Box<dyn Endpoint>,
    _driver: DriverProcess,
    dir: AeronDir,
}

impl Site {
    fn start(kind: DriverKind) -> Self {
        let (driver, dir) = start_driver(kind, &[]);
        Self { client: connect(&CStack, &dir), _driver: driver, dir }
    }

    fn subscribe(&self, channel: &str) -> Box<dyn SubscriptionEnd> {
        self.client.add_subscription(channel, STREAM).expect(channel)
    }

    fn publish(&self, kind: Kind, channel: &str) -> Box<dyn PublicationEnd> {
        self.client.add_publication(kind, channel, STREAM).expect(channel)
    }

    /// The value of the counter of this type that belongs to this registration.
    fn counter(&self, type_id: i32, registration_id: i64) -> Option<i64> {
        let counters = self.client.counters().into_iter();
        let mut of_it =
            counters.filter(|counter| (counter.type_id, counter.registration_id) == (type_id, registration_id));
        of_it.next().map(|counter| counter.value)
    }

    /// The status of the channel with this text.
    fn channel_status(&self, type_id: i32, channel: &str) -> Option<i64> {
        let counters = self.client.counters().into_iter();
        let mut of_it = counters.filter(|counter| counter.type_id == type_id && counter.label.contains(channel));
        of_it.next().map(|counter| counter.value)
    }

    fn wait_for_report(&self, what: &str, wanted: impl Fn(&Report) -> bool) {
        wait_for(what, || self.client.reports().iter().any(&wanted));
    }
}

fn connect(stack: &dyn Stack, dir: &AeronDir) -> Box<dyn Endpoint> {
    let settings = EndpointSettings { driver_timeout: Some(Duration::from_secs(60)), keepalive_interval: None };
    stack.connect(dir.path(), &settings).expect("the client connects")
}

/// An address for a channel.
fn endpoint() -> String {
    format!("endpoint=127.0.0.1:{}", free_port())
}

/// Sends messages of these lengths once everyone is connected, and checks that each subscription reads all of them.
fn pass(publication: &mut dyn PublicationEnd, subscriptions: &mut [Box<dyn SubscriptionEnd>], lengths: &[usize]) {
    wait_for("receivers", || publication.is_connected() && subscriptions.iter().all(|end| end.is_connected()));
    let mut read = vec![0; subscriptions.len()];
    let mut sent = 0;
    wait_for("delivery", || {
        while sent < lengths.len() {
            match publication.offer(&message(sent, lengths[sent])) {
                Ok(_) => sent += 1,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for (subscription, number) in subscriptions.iter_mut().zip(&mut read) {
            // A panic in the handler would end the process.
            let mut arrived = Vec::new();
            subscription.poll_messages(&mut |delivery: Delivery| arrived.push(delivery.payload), 64);
            for payload in arrived {
                assert!(payload == message(*number, lengths[*number]), "message {number} differs");
                *number += 1;
            }
        }
        read.iter().all(|number| *number == lengths.len())
    });
}

/// Messages of no byte to the greatest length, images with their handlers, counters and the end of the stream: to one
/// address, to receivers that register, and to a group.
#[test]
fn streams_of_the_c_client_cross() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        let mut streams = Vec::new();
        for kind in Kind::ALL {
            let control = format!("control=127.0.0.1:{}", free_port());
            let [unicast, registered] = [0; 2].map(|_| endpoint());
            let group = format!("endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
            let channels = [
                (unicast.clone(), unicast),
                (format!("{control}|control-mode=dynamic"), format!("{control}|{registered}")),
                (group.clone(), group),
            ];
            for (sent, received) in channels {
                let (sent, received) = (format!("aeron:udp?{sent}"), format!("aeron:udp?{received}"));
                let case = format!("{sending:?} to {receiving:?}, {kind:?}, {received}");
                let mut subscriptions = [to.subscribe(&received)];
                let mut publication = from.publish(kind, &format!("{sent}|{TERM}"));
                let identity = publication.identity();
                let (frame, longest) = (identity.max_payload_length, identity.max_message_length);
                assert_eq!((frame, longest), (1408 - 32, 65_536 / 8), "{case}");
                let mut lengths = vec![0, 1, 31, 32, 33, frame - 1, frame, frame + 1, longest - 1, longest];
                lengths.extend((0..150).map(|number| number * 37 % 3_000));
                pass(&mut *publication, &mut subscriptions, &lengths);

                let image = subscriptions[0].images().remove(0);
                let end = publication.position().expect("an open publication");
                assert_eq!(
                    (image.session_id, image.join_position, image.position),
                    (identity.session_id, 0, end),
                    "{case}"
                );
                assert!(image.source_identity.starts_with("127.0.0.1:"), "{case}: {}", image.source_identity);
                to.wait_for_report("report of the image", |report| {
                    *report
                        == Report::ImageAvailable {
                            session_id: image.session_id,
                            correlation_id: image.correlation_id,
                            join_position: 0,
                            source_identity: image.source_identity.clone(),
                        }
                });
                let at_end = |site: &Site, type_id, id| {
                    wait_for("counters at the end", || site.counter(type_id, id) == Some(end));
                };
                at_end(&from, type_id::SENDER_POSITION, identity.original_registration_id);
                at_end(&from, type_id::PUBLISHER_POSITION, identity.original_registration_id);
                at_end(&to, type_id::SUBSCRIBER_POSITION, subscriptions[0].registration_id());
                at_end(&to, type_id::RECEIVER_HWM, image.correlation_id);
                at_end(&to, type_id::RECEIVER_POSITION, image.correlation_id);
                assert_eq!(from.channel_status(type_id::SEND_CHANNEL_STATUS, &sent), Some(channel_status::ACTIVE));
                assert_eq!(to.channel_status(type_id::RECEIVE_CHANNEL_STATUS, &received), Some(channel_status::ACTIVE));

                streams.push((publication, subscriptions, image));
            }
        }
        // All of them end at once, for an end takes its time.
        let (publications, readers): (Vec<_>, Vec<_>) = streams
            .into_iter()
            .map(|(publication, subscriptions, image)| (publication, (subscriptions, image)))
            .unzip();
        drop(publications);
        for ([mut subscription], image) in readers {
            let (session_id, correlation_id) = (image.session_id, image.correlation_id);
            to.wait_for_report("report of the end", |report| {
                *report == Report::ImageUnavailable { session_id, correlation_id }
            });
            wait_for("end of the image", || subscription.images().is_empty());
        }
    }
}

/// Two copies of a stream arrive at two destinations of one subscription. Either end then gives up one of them, and the
/// stream goes on by the other.
#[test]
fn destinations_change_under_the_c_client() {
    for (sending, receiving) in PAIRINGS {
        for kind in Kind::ALL {
            let (from, to) = (Site::start(sending), Site::start(receiving));
            let places = [0; 3].map(|_| format!("aeron:udp?{}", endpoint()));
            let mut subscriptions = [to.subscribe("aeron:udp?control-mode=manual")];
            let control = free_port();
            let channel = format!("aeron:udp?control-mode=manual|control=127.0.0.1:{control}|{TERM}");
            let mut publication = from.publish(kind, &channel);
            for place in &places[..2] {
                subscriptions[0].add_destination(place).unwrap();
                publication.add_destination(place).unwrap();
            }
            pass(&mut *publication, &mut subscriptions, &[700; 200]);
            assert_eq!(subscriptions[0].images().len(), 1, "{sending:?} to {receiving:?}");
            subscriptions[0].remove_destination(&places[0]).unwrap();
            pass(&mut *publication, &mut subscriptions, &[700; 200]);
            // The new one has no image of its own but adds to the same.
            subscriptions[0].add_destination(&places[2]).unwrap();
            publication.add_destination(&places[2]).unwrap();
            publication.remove_destination(&places[1]).unwrap();
            subscriptions[0].remove_destination(&places[1]).unwrap();
            pass(&mut *publication, &mut subscriptions, &[700; 200]);
            assert_eq!(subscriptions[0].images().len(), 1, "{sending:?} to {receiving:?}");
            let refused = publication.add_destination("no channel").expect_err("no channel");
            assert!(refused.code.is_some(), "{refused}");
        }
    }
}

/// Nothing is sent any more to a destination that was removed.
#[test]
fn a_removed_destination_gets_nothing_more_from_the_c_client() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        let places = [0; 2].map(|_| format!("aeron:udp?{}", endpoint()));
        let mut subscriptions = places.each_ref().map(|place| to.subscribe(place));
        let channel = format!("aeron:udp?control-mode=manual|control=127.0.0.1:{}|{TERM}", free_port());
        let mut publication = from.publish(Kind::Exclusive, &channel);
        for place in &places {
            publication.add_destination(place).unwrap();
        }
        pass(&mut *publication, &mut subscriptions, &[700; 60]);
        publication.remove_destination(&places[1]).unwrap();
        pass(&mut *publication, &mut subscriptions[..1], &[700; 60]);
        let mut more = 0;
        subscriptions[1].poll(&mut |_| more += 1, 100);
        assert_eq!(more, 0, "{sending:?} to {receiving:?}");
    }
}

/// A spy of the C client reads the same as a receiver elsewhere.
#[test]
fn spies_of_the_c_client_read_the_same() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        let channel = format!("aeron:udp?{}", endpoint());
        let mut publication = from.publish(Kind::Exclusive, &format!("{channel}|{TERM}"));
        let mut subscriptions = [from.subscribe(&format!("aeron-spy:{channel}")), to.subscribe(&channel)];
        pass(&mut *publication, &mut subscriptions, &[1_000; 300]);
    }
}

/// The C client answers a request on a response channel.
#[test]
fn the_c_client_answers_on_response_channels() {
    for (serving, asking) in PAIRINGS {
        let (server, client) = (Site::start(serving), Site::start(asking));
        let requests = format!("aeron:udp?{}", endpoint());
        let answers = format!("aeron:udp?control-mode=response|control=127.0.0.1:{}", free_port());
        let mut asked = [server.subscribe(&requests)];
        let mut answered = [client.subscribe(&answers)];
        let request = format!("{requests}|{TERM}|response-correlation-id={}", answered[0].registration_id());
        let mut request = client.publish(Kind::Exclusive, &request);
        pass(&mut *request, &mut asked, &[200; 50]);
        let image = asked[0].images().remove(0).correlation_id;
        let answer = format!("{answers}|{TERM}|response-correlation-id={image}");
        let mut answer = server.publish(Kind::Exclusive, &answer);
        pass(&mut *answer, &mut answered, &[900; 200]);
        assert_eq!(answered[0].images().len(), 1, "{serving:?} to {asking:?}");
    }
}

/// A rejection reaches the publisher with its reason. The stream does not come back to who wants no rejoining.
#[test]
fn a_rejection_by_the_c_client_is_told_to_the_publisher() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        for kind in Kind::ALL {
            // One for each: an address that is being closed is refused for a moment.
            let channel = format!("aeron:udp?{}", endpoint());
            let mut subscriptions = [to.subscribe(&format!("{channel}|rejoin=false"))];
            let mut publication = from.publish(kind, &format!("{channel}|{TERM}"));
            pass(&mut *publication, &mut subscriptions, &[100; 20]);
            let session_id = publication.identity().session_id;
            subscriptions[0].reject(session_id, "enough of it").unwrap();
            let message = "enough of it".to_owned();
            let expected = Report::PublicationError { session_id, code: IMAGE_REJECTED, message };
            from.wait_for_report("word of the rejection", |report| *report == expected);
            wait_for("end of the connection", || !publication.is_connected());
        }
    }
}

/// A C client revokes a stream: its image ends at once, and not as a stream that ended in order.
#[test]
fn a_stream_that_the_c_client_revokes_ends_at_once() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        let channel = format!("aeron:udp?{}", endpoint());
        let mut subscriptions = [to.subscribe(&channel)];
        let mut publication = from.publish(Kind::Exclusive, &format!("{channel}|{TERM}"));
        pass(&mut *publication, &mut subscriptions, &[100; 20]);
        let session_id = publication.identity().session_id;
        publication.revoke();
        to.wait_for_report(
            "end of the image",
            |report| matches!(report, Report::ImageUnavailable { session_id: of, .. } if *of == session_id),
        );
        wait_for("end of the image", || subscriptions[0].images().is_empty());
    }
}

/// Two clients, one of each library, publish on one network stream at the same time: one log, one image.
#[test]
fn concurrent_publications_share_one_network_stream() {
    const EACH: usize = 2_000;
    let of = |number: usize| message(number, number * 13 % 200);
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Site::start(sending), Site::start(receiving));
        let other_client = connect(&GannetStack, &from.dir);
        let place = endpoint();
        let mut subscription = to.subscribe(&format!("aeron:udp?{place}"));
        let channel = format!("aeron:udp?{place}|{TERM}");
        let mut first = from.publish(Kind::Concurrent, &channel);
        let mut second =
            other_client.add_publication(Kind::Concurrent, &channel, STREAM).expect("a second publication");
        let (one, two) = (first.identity(), second.identity());
        assert_eq!((one.session_id, one.registration_id), (two.session_id, two.original_registration_id));
        wait_for("receiver", || first.is_connected() && second.is_connected() && subscription.is_connected());
        let mut next = [0; 2];
        thread::scope(|scope| {
            for (writer, publication) in [&mut first, &mut second].into_iter().enumerate() {
                scope.spawn(move || {
                    for number in 0..EACH {
                        let mut bytes = of(number);
                        bytes.insert(0, writer as u8);
                        wait_for("room", || match publication.offer(&bytes) {
                            Ok(_) => true,
                            Err(OfferError::AdminAction | OfferError::BackPressured) => false,
                            Err(error) => panic!("{error}"),
                        });
                    }
                });
            }
            wait_for("delivery", || {
                let mut arrived = Vec::new();
                subscription.poll(&mut |delivery| arrived.push(delivery.payload), 64);
                for payload in arrived {
                    let (writer, rest) = payload.split_first().expect("at least the writer's number");
                    let number = &mut next[usize::from(*writer)];
                    assert!(rest == of(*number), "writer {writer}, message {number} differs");
                    *number += 1;
                }
                next == [EACH; 2]
            });
        });
        assert_eq!(subscription.images().len(), 1, "{sending:?} to {receiving:?}");
        let end = subscription.images()[0].position;
        assert_eq!((first.position(), second.position()), (Ok(end), Ok(end)), "{sending:?} to {receiving:?}");
    }
}
