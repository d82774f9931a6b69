//! Streams as a whole: when subscribers join, and how streams end.

use crate::setup::{
    CHANNEL, PATIENT, Setup, accepted, assert_nothing_left, fragments, reported, stream_of, until, whole_messages,
};
use gannet_peers::driver::DriverOptions;
use gannet_peers::endpoint::{Kind, Report};

const IMAGE_REJECTED: i32 = 13;

pub(crate) fn images_come_and_go_with_their_publications(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (publication, mut subscription) = running.stream(kind);
        let identity = publication.identity();
        let image = subscription.images().remove(0);
        assert_eq!(image.session_id, identity.session_id, "{kind:?}");
        assert_eq!(image.correlation_id, identity.original_registration_id, "{kind:?}");
        assert_eq!((image.join_position, image.position), (0, 0), "{kind:?}");
        assert_eq!(image.source_identity, "aeron:ipc", "{kind:?}");
        let of_this = |report: &Report| match report {
            Report::ImageAvailable { correlation_id, session_id, join_position, source_identity } => {
                (*correlation_id, *session_id) == (image.correlation_id, image.session_id)
                    && *join_position == 0
                    && source_identity == "aeron:ipc"
            }
            _ => false,
        };
        reported(&*running.subscriber, "the image is reported", of_this);
        drop(publication);
        reported(&*running.subscriber, "the image's end is reported", |report| {
            let (session_id, correlation_id) = (image.session_id, image.correlation_id);
            *report == Report::ImageUnavailable { session_id, correlation_id }
        });
        until("the image is gone", || subscription.images().is_empty());
        assert!(!subscription.is_connected(), "{kind:?}");
    }
}

pub(crate) fn a_late_subscriber_joins_where_the_stream_is(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut early) = running.stream(kind);
        for message in [b"one", b"two"] {
            accepted(|| publication.offer(message));
        }
        let position = publication.position().unwrap();
        assert_eq!(fragments(&mut *early, 2).last().map(|fragment| fragment.position), Some(position));
        // The driver reads the subscriber's position once per duty cycle.
        running.round();
        let mut late = running.subscriber.add_subscription(CHANNEL, stream_of(kind)).expect("a late subscription");
        until("the late subscriber is connected", || late.is_connected());
        accepted(|| publication.offer(b"three"));
        let image = late.images().remove(0);
        assert_eq!(image.join_position, position, "{kind:?}: {image:?}");
        assert_eq!(whole_messages(&mut *late, 1)[0].payload, b"three", "{kind:?}");
        assert_eq!(whole_messages(&mut *early, 1)[0].payload, b"three", "{kind:?}");
    }
}

pub(crate) fn two_subscribers_each_get_everything(setup: &Setup) {
    let running = setup.start();
    let (mut publication, mut first) = running.stream(Kind::Concurrent);
    let mut second = running
        .publisher
        .add_subscription(CHANNEL, stream_of(Kind::Concurrent))
        .expect("a subscription beside the publisher");
    until("the second subscriber is connected", || second.is_connected());
    let mut next = [0_u32; 2];
    let mut sent = 0_u32;
    until("both have read everything", || {
        if sent < 3000 && publication.offer(&sent.to_le_bytes()).is_ok() {
            sent += 1;
        }
        for (reader, subscription) in [&mut first, &mut second].into_iter().enumerate() {
            subscription.poll(
                &mut |fragment| {
                    assert_eq!(fragment.payload, next[reader].to_le_bytes(), "reader {reader}");
                    next[reader] += 1;
                },
                10,
            );
        }
        next == [3000; 2]
    });
}

pub(crate) fn a_revoked_stream_ends_at_once(setup: &Setup) {
    let running = setup.start();
    let (mut publication, mut subscription) = running.stream(Kind::Exclusive);
    accepted(|| publication.offer(b"never read"));
    let session_id = publication.identity().session_id;
    publication.revoke();
    reported(
        &*running.subscriber,
        "the image's end is reported",
        |report| matches!(report, Report::ImageUnavailable { session_id: of, .. } if *of == session_id),
    );
    until("the image is gone", || subscription.images().is_empty());
}

pub(crate) fn a_rejected_image_is_told_to_its_publisher(setup: &Setup) {
    let options = DriverOptions::patient().with("aeron.image.liveness.timeout", "300ms");
    let running = setup.start_with(options, PATIENT);
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let session_id = publication.identity().session_id;
        subscription.reject(session_id, "out of sequence").expect("the driver takes the rejection");
        let report = reported(
            &*running.publisher,
            "the rejection is reported",
            |report| matches!(report, Report::PublicationError { session_id: of, .. } if *of == session_id),
        );
        let message = "out of sequence".to_owned();
        assert_eq!(report, Report::PublicationError { session_id, code: IMAGE_REJECTED, message }, "{kind:?}");
        reported(
            &*running.subscriber,
            "the image's end is reported",
            |report| matches!(report, Report::ImageUnavailable { session_id: of, .. } if *of == session_id),
        );
        // After the cool-down the stream continues with the same image id.
        until("the image is back", || subscription.is_connected() && publication.is_connected());
        accepted(|| publication.offer(b"again"));
        assert_eq!(whole_messages(&mut *subscription, 1)[0].payload, b"again", "{kind:?}");
    }
}

pub(crate) fn a_stream_drains_before_it_ends(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        for message in [b"one", b"two"] {
            accepted(|| publication.offer(message));
        }
        let position = publication.position().unwrap();
        drop(publication);
        assert_eq!(fragments(&mut *subscription, 1)[0].payload, b"one", "{kind:?}");
        assert_eq!(subscription.images().len(), 1, "{kind:?}: kept while unread");
        assert!(!subscription.images()[0].is_end_of_stream, "{kind:?}");
        assert_eq!(fragments(&mut *subscription, 1)[0].position, position, "{kind:?}");
        until("the stream ends", || {
            subscription.images().first().is_none_or(|image| image.is_end_of_stream && !image.is_revoked)
        });
        until("the image is gone", || subscription.images().is_empty());
        assert_nothing_left(&mut *subscription);
    }
}
