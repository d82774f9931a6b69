//! Tests, with a real driver, that publications accept exactly what they say: claims up to the maximum payload, and as
//! many bytes as are available.

use std::io::IoSlice;
use std::time::Duration;

use gannet::{Client, Context, ExclusivePublication, OfferError, Publication, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, ThreadingMode};

fn connect() -> (MediaDriver, Client) {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    config.threads.mode = ThreadingMode::Shared;
    config.buffers.counter_values_length = ByteLength::new(1 << 20);
    config.timeouts.client_liveness = Duration::from_secs(60);
    config.timeouts.publication_unblock = Duration::from_secs(70);
    let driver = MediaDriver::launch_embedded(config).expect("a driver");
    let context = Context::new().dir(driver.dir()).driver_timeout(Duration::from_secs(60));
    let client = Client::connect(context).expect("a client");
    (driver, client)
}

/// A subscription and both kinds of publications on a channel, once they may publish.
fn open(client: &Client, params: &str) -> (Subscription, Publication, ExclusivePublication) {
    let channel = format!("aeron:ipc?{params}");
    let publication = client.add_publication(&channel, 1001).expect("a publication");
    let exclusive = client.add_exclusive_publication(&channel, 1001).expect("an exclusive publication");
    let subscription = client.add_subscription("aeron:ipc", 1001).expect("a subscription");
    while publication.available_window() == Some(0) || exclusive.available_window() == Some(0) {
        std::thread::yield_now();
    }
    (subscription, publication, exclusive)
}

#[test]
fn the_longest_claim_is_as_long_as_it_is_said_to_be() {
    let (_driver, client) = connect();
    // Of the last, a frame would take more than a message may have.
    for (params, longest) in
        [("term-length=64k", 1376), ("term-length=64k|mtu=8k", 8160), ("term-length=64k|mtu=65504", 8192)]
    {
        let (_subscription, publication, mut exclusive) = open(&client, params);
        assert_eq!((publication.max_payload_length(), exclusive.max_payload_length()), (longest, longest), "{params}");
        let refusal = Some(OfferError::MessageTooLong { length: longest + 1, max: longest });
        assert_eq!(publication.try_claim(longest).map(|claim| claim.len()), Ok(longest), "{params}");
        assert_eq!(publication.try_claim(longest + 1).err(), refusal, "{params}");
        assert_eq!(exclusive.try_claim(longest).map(|claim| claim.len()), Ok(longest), "{params}");
        assert_eq!(exclusive.try_claim(longest + 1).err(), refusal, "{params}");
    }
}

/// Slices of one and the same memory may have any length together.
#[test]
fn the_longest_message_is_as_long_as_it_is_said_to_be() {
    let (_driver, client) = connect();
    let (mut subscription, publication, mut exclusive) = open(&client, "term-length=64k");
    let half = vec![7; publication.max_message_length() / 2];
    let whole = [IoSlice::new(&[]), IoSlice::new(&half), IoSlice::new(&[]), IoSlice::new(&half), IoSlice::new(&[])];
    let more = [&whole[..], &[IoSlice::new(b"x")]].concat();
    for parts in [&whole[..], &more] {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let fits = length <= publication.max_message_length();
        let outcomes = [publication.offer_vectored(parts), exclusive.offer_vectored(parts)];
        let expected = OfferError::MessageTooLong { length, max: publication.max_message_length() };
        assert!(
            outcomes.iter().all(|outcome| if fits { outcome.is_ok() } else { *outcome == Err(expected) }),
            "{outcomes:?}"
        );
    }
    let mut received = 0;
    while received < 2 * 2 * half.len() {
        subscription.poll(|fragment| received += fragment.payload().len(), 100);
    }
    assert_eq!(received, 2 * 2 * half.len());
}

#[test]
fn nothing_is_available_where_the_stream_ends() {
    let (_driver, client) = connect();
    let start = "term-length=64k|init-term-id=0|term-id=2147483647|term-offset=65472";
    let (_subscription, publication, mut exclusive) = open(&client, start);
    // The limit is far beyond the end.
    assert_eq!((publication.available_window(), exclusive.available_window()), (Some(64), Some(64)));
    let end = exclusive.offer(&[1; 32]).expect("the last message");
    assert_eq!((Some(end), exclusive.available_window()), (exclusive.position(), Some(0)));
    assert_eq!(publication.offer(&[1; 32]), Ok(end));
    assert_eq!(publication.available_window(), Some(0));
    assert_eq!(
        (publication.offer(&[]), exclusive.offer(&[])),
        (Err(OfferError::MaxPositionExceeded), Err(OfferError::MaxPositionExceeded))
    );
    assert_eq!(exclusive.try_claim(0).err(), Some(OfferError::MaxPositionExceeded));
}
