//! Messages in transit: lengths, frames, terms, claims, limits.

use crate::setup::{
    CHANNEL, PATIENT, Setup, TERM_LENGTH, accepted, assert_nothing_left, assert_same_message, fragments, patterned,
    stream_of, until, whole_messages,
};
use gannet_peers::client::OfferError;
use gannet_peers::endpoint::{ClaimEnd, Delivery, Kind, PublicationEnd, SubscriptionEnd};
use std::thread;

const HEADER: usize = 32;
const UNFRAGMENTED: u8 = 0xc0;

fn aligned(length: usize) -> i64 {
    (length as i64 + 31) & !31
}

/// The bytes that a message of `length` bytes takes in the log, with frames of at most `max_payload` bytes.
fn occupied(length: usize, max_payload: usize) -> i64 {
    if length <= max_payload {
        return aligned(length + HEADER);
    }
    let (full, rest) = (length / max_payload, length % max_payload);
    (full * (max_payload + HEADER)) as i64 + if rest > 0 { aligned(rest + HEADER) } else { 0 }
}

pub(crate) fn messages_of_every_length_arrive_whole(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let identity = publication.identity();
        assert_eq!(identity.max_message_length as i64, TERM_LENGTH / 8);
        assert_eq!(identity.max_payload_length, 1408 - HEADER);
        let (payload, max) = (identity.max_payload_length, identity.max_message_length);
        let lengths = [0, 1, 7, 8, 31, 32, 33, 100, payload - 1, payload, payload + 1, 2 * payload, max - 1, max];
        let mut position = 0;
        for (seed, &length) in lengths.iter().enumerate() {
            let message = patterned(seed, length);
            let before = position;
            position = accepted(|| publication.offer(&message));
            if before / TERM_LENGTH == (position - 1) / TERM_LENGTH {
                assert_eq!(position - before, occupied(length, payload), "{kind:?}, {length} bytes");
            }
            let delivered = whole_messages(&mut *subscription, 1).remove(0);
            assert_same_message(&delivered.payload, &message, &(kind, length));
            assert_eq!(delivered.position, position, "{kind:?}, {length} bytes");
            assert_eq!(delivered.flags, UNFRAGMENTED, "{kind:?}, {length} bytes");
            assert_eq!((delivered.session_id, delivered.stream_id), (identity.session_id, stream_of(kind)));
        }
        assert_nothing_left(&mut *subscription);
        assert_eq!(publication.position(), Ok(position));
        assert_eq!(subscription.images()[0].position, position);
    }
}

pub(crate) fn a_long_message_travels_in_frames(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let message = patterned(1, 3000);
        assert_eq!(accepted(|| publication.offer(&message)), 3104);
        let frames = fragments(&mut *subscription, 3);
        let seen: Vec<_> = frames.iter().map(|f| (f.payload.len(), f.flags, f.term_offset, f.position)).collect();
        assert_eq!(seen, [(1376, 0x80, 0, 1408), (1376, 0, 1408, 2816), (248, 0x40, 2816, 3104)], "{kind:?}");
        assert_eq!(frames.into_iter().flat_map(|frame| frame.payload).collect::<Vec<_>>(), message);
    }
}

pub(crate) fn a_message_too_long_is_refused(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let identity = publication.identity();
        let too_long = vec![0; identity.max_message_length + 1];
        assert!(matches!(publication.offer(&too_long), Err(OfferError::Refused(_))), "{kind:?}");
        let frame_too_long = vec![0; identity.max_payload_length + 1];
        let claimed = publication.claim(&frame_too_long, ClaimEnd::Commit);
        assert!(matches!(claimed, Err(OfferError::Refused(_))), "{kind:?}: {claimed:?}");
        assert_eq!(publication.position(), Ok(0), "{kind:?}");
        accepted(|| publication.offer(b"still usable"));
        assert_eq!(whole_messages(&mut *subscription, 1)[0].payload, b"still usable");
    }
}

pub(crate) fn many_terms_keep_their_order(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let mut sent = 0;
        let mut received: usize = 0;
        let mut last_position = 0;
        // Lengths that do not divide a term, so that every term ends in padding. Some messages take several frames.
        let message_of = |number: usize| patterned(number, (number * 37) % 2500);
        until("seven terms go by", || {
            while sent < received + 8 && publication.position().unwrap() < 7 * TERM_LENGTH {
                match publication.offer(&message_of(sent)) {
                    Ok(_) => sent += 1,
                    Err(OfferError::AdminAction | OfferError::BackPressured) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            subscription.poll_messages(
                &mut |message: Delivery| {
                    assert_same_message(&message.payload, &message_of(received), &(kind, received));
                    assert!(message.position > last_position);
                    last_position = message.position;
                    received += 1;
                },
                10,
            );
            publication.position().unwrap() >= 7 * TERM_LENGTH && received == sent
        });
        accepted(|| publication.offer(b"the end"));
        let last = whole_messages(&mut *subscription, 1).remove(0);
        assert_eq!((last.payload.as_slice(), Ok(last.position)), (b"the end".as_slice(), publication.position()));
    }
}

pub(crate) fn parts_are_gathered_into_one_message(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let long = patterned(3, 2000);
        for parts in [&[b"head".as_slice(), b"", b"tail"][..], &[b"before ", &long, b" after"], &[b""]] {
            accepted(|| publication.offer_vectored(parts));
            assert_same_message(&whole_messages(&mut *subscription, 1)[0].payload, &parts.concat(), &kind);
        }
    }
}

pub(crate) fn claims_are_published_only_when_committed(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        accepted(|| publication.claim(b"first", ClaimEnd::Commit));
        let aborted = accepted(|| publication.claim(b"never seen", ClaimEnd::Abort));
        let position = accepted(|| publication.claim(b"", ClaimEnd::Commit));
        assert_eq!((aborted, position), (128, 160), "{kind:?}: the aborted claim keeps its space");
        let delivered = whole_messages(&mut *subscription, 2);
        assert_eq!(delivered[0].payload, b"first");
        assert_eq!((delivered[1].payload.as_slice(), delivered[1].position), (b"".as_slice(), 160));
        assert_nothing_left(&mut *subscription);
        assert_eq!(subscription.images()[0].position, 160, "{kind:?}: padding counts into the position");
    }
}

pub(crate) fn concurrent_publications_share_one_log(setup: &Setup) {
    let running = setup.start();
    let (mut first, mut subscription) = running.stream(Kind::Concurrent);
    let other_client = setup.publisher.connect(running.dir.path(), &PATIENT).expect("another client");
    let mut second = other_client
        .add_publication(Kind::Concurrent, CHANNEL, stream_of(Kind::Concurrent))
        .expect("a second publication");
    let (one, two) = (first.identity(), second.identity());
    assert_eq!(one.session_id, two.session_id);
    assert_eq!(one.original_registration_id, two.original_registration_id);
    assert_eq!(one.registration_id, one.original_registration_id);
    assert_ne!(two.registration_id, two.original_registration_id);
    assert_eq!(subscription.images().len(), 1);

    // Both publish at the same time, through several rotations.
    const EACH: usize = 2000;
    let mut next = [0; 2];
    thread::scope(|scope| {
        for (writer, publication) in [&mut first, &mut second].into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..EACH {
                    let mut message = patterned(number, (number * 13) % 200);
                    message.splice(0..0, [writer as u8]);
                    accepted(|| publication.offer(&message));
                }
            });
        }
        until("everything arrives", || {
            subscription.poll(
                &mut |fragment| {
                    let (writer, rest) = fragment.payload.split_first().expect("at least the writer's number");
                    let number = &mut next[usize::from(*writer)];
                    assert_eq!(rest, patterned(*number, (*number * 13) % 200), "writer {writer}, message {number}");
                    *number += 1;
                },
                10,
            );
            next == [EACH; 2]
        });
    });
    assert_nothing_left(&mut *subscription);
    assert_eq!(first.position(), second.position());
    assert_eq!(first.position(), Ok(subscription.images()[0].position));
}

pub(crate) fn exclusive_publications_have_logs_of_their_own(setup: &Setup) {
    let running = setup.start();
    let (mut first, mut subscription) = running.stream(Kind::Exclusive);
    let mut second = running
        .publisher
        .add_publication(Kind::Exclusive, CHANNEL, stream_of(Kind::Exclusive))
        .expect("a second publication");
    let (one, two) = (first.identity(), second.identity());
    assert_ne!(one.session_id, two.session_id);
    for identity in [one, two] {
        assert_eq!(identity.registration_id, identity.original_registration_id);
    }
    until("two images", || subscription.images().len() == 2);
    accepted(|| first.offer(b"one"));
    accepted(|| second.offer(b"two"));
    let mut delivered = fragments(&mut *subscription, 2);
    delivered.sort_by_key(|fragment| fragment.session_id != one.session_id);
    assert_eq!((delivered[0].session_id, delivered[0].payload.as_slice()), (one.session_id, b"one".as_slice()));
    assert_eq!((delivered[1].session_id, delivered[1].payload.as_slice()), (two.session_id, b"two".as_slice()));
}

pub(crate) fn a_full_window_holds_the_publisher_back(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let message = patterned(5, 1000);
        let mut sent = 0;
        until("the window is full", || match publication.offer(&message) {
            Ok(_) => {
                sent += 1;
                false
            }
            Err(error) => error == OfferError::BackPressured,
        });
        let (position, limit) = (publication.position().unwrap(), publication.position_limit().unwrap());
        assert_eq!(limit, TERM_LENGTH / 2, "{kind:?}: the window is half a term");
        assert!(position >= limit && position - limit < 1056, "{kind:?}: {position} against {limit}");
        assert_eq!(publication.claim(&message, ClaimEnd::Commit), Err(OfferError::BackPressured), "{kind:?}");
        let delivered = fragments(&mut *subscription, sent);
        assert!(delivered.iter().all(|fragment| fragment.payload == message));
        accepted(|| publication.offer(b"room again"));
        assert_eq!(whole_messages(&mut *subscription, 1)[0].payload, b"room again", "{kind:?}");
    }
}

pub(crate) fn without_subscriber_nothing_is_taken(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let mut publication: Box<dyn PublicationEnd> =
            running.publisher.add_publication(kind, CHANNEL, stream_of(kind)).expect("a publication");
        assert_eq!(publication.offer(b"x"), Err(OfferError::NotConnected), "{kind:?}");
        assert_eq!(publication.claim(b"x", ClaimEnd::Commit), Err(OfferError::NotConnected), "{kind:?}");
        let mut subscription: Box<dyn SubscriptionEnd> =
            running.subscriber.add_subscription(CHANNEL, stream_of(kind)).expect("a subscription");
        accepted(|| publication.offer(b"now"));
        assert_eq!(whole_messages(&mut *subscription, 1)[0].payload, b"now", "{kind:?}");
        drop(subscription);
        until("the publication is alone again", || {
            !publication.is_connected() && publication.offer(b"x") == Err(OfferError::NotConnected)
        });
    }
}
