//! The ways to read an image.

use crate::setup::{Setup, accepted, assert_nothing_left, patterned};
use gannet_peers::client::Action;
use gannet_peers::endpoint::{ClaimEnd, Kind, PublicationEnd, SubscriptionEnd};

/// A stream with unread messages `0`, `1`, ... of 4 bytes each, which take 64 bytes of the log each.
fn filled(running: &crate::setup::Running, count: u32) -> (Box<dyn PublicationEnd>, Box<dyn SubscriptionEnd>) {
    let (mut publication, subscription) = running.stream(Kind::Exclusive);
    for number in 0..count {
        accepted(|| publication.offer(&number.to_le_bytes()));
    }
    (publication, subscription)
}

fn number(payload: &[u8]) -> u32 {
    u32::from_le_bytes(payload.try_into().expect("4 bytes"))
}

pub(crate) fn a_controlled_poll_does_as_its_handler_says(setup: &Setup) {
    let running = setup.start();
    let (_publication, mut subscription) = filled(&running, 6);
    let mut seen = Vec::new();
    let mut step = |subscription: &mut dyn SubscriptionEnd, at: u32, action| {
        seen.clear();
        let count = subscription.controlled_poll(
            &mut |fragment| {
                seen.push(number(&fragment.payload));
                if seen.last() == Some(&at) { action } else { Action::Continue }
            },
            10,
        );
        (count, seen.clone(), subscription.images()[0].position)
    };
    assert_eq!(step(&mut *subscription, 2, Action::Abort), (2, vec![0, 1, 2], 128), "the aborted one is left");
    assert_eq!(step(&mut *subscription, 3, Action::Break), (2, vec![2, 3], 256), "the broken-off one is taken");
    assert_eq!(step(&mut *subscription, 4, Action::Abort), (0, vec![4], 256), "nothing is taken");

    let mut committed_at = Vec::new();
    let count = subscription.controlled_poll(
        &mut |fragment| {
            committed_at.push(fragment.position);
            Action::Commit
        },
        10,
    );
    assert_eq!((count, committed_at), (2, vec![320, 384]));
    assert_eq!(subscription.images()[0].position, 384);
    assert_nothing_left(&mut *subscription);
}

pub(crate) fn a_bounded_poll_stops_at_its_position(setup: &Setup) {
    let running = setup.start();
    let (_publication, mut subscription) = filled(&running, 5);
    let mut seen = Vec::new();
    assert_eq!(subscription.bounded_poll(&mut |fragment| seen.push(number(&fragment.payload)), 128, 10), 2);
    assert_eq!(subscription.bounded_poll(&mut |fragment| seen.push(number(&fragment.payload)), 128, 10), 0);
    assert_eq!(subscription.images()[0].position, 128);
    assert_eq!(subscription.bounded_poll(&mut |fragment| seen.push(number(&fragment.payload)), 160, 10), 1);
    assert_eq!(subscription.images()[0].position, 192, "a frame that starts below the bound is delivered whole");
    assert_eq!(subscription.bounded_poll(&mut |fragment| seen.push(number(&fragment.payload)), 1 << 20, 10), 2);
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

pub(crate) fn a_block_poll_hands_over_whole_frames(setup: &Setup) {
    let running = setup.start();
    let (mut publication, mut subscription) = filled(&running, 3);
    accepted(|| publication.claim(&patterned(0, 100), ClaimEnd::Abort));
    accepted(|| publication.offer(&patterned(1, 40)));
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut take = |subscription: &mut dyn SubscriptionEnd, limit| {
        subscription.block_poll(&mut |block| blocks.push(block.to_vec()), limit)
    };
    assert_eq!(take(&mut *subscription, 150), 128, "as many whole frames as fit");
    assert_eq!(take(&mut *subscription, 4096), 64, "a block stops before padding");
    assert_eq!(take(&mut *subscription, 4096), 160, "padding comes by itself");
    assert_eq!(take(&mut *subscription, 4096), 96);
    assert_eq!(take(&mut *subscription, 4096), 0);
    let first_frame = &blocks[0][..64];
    assert_eq!(first_frame[..4], 36_i32.to_le_bytes());
    assert_eq!(first_frame[32..36], 0_u32.to_le_bytes());
    assert_eq!(subscription.images()[0].position, 448);
}

pub(crate) fn a_poll_takes_no_more_than_its_limit(setup: &Setup) {
    let running = setup.start();
    let (_publication, mut subscription) = filled(&running, 5);
    let mut seen = Vec::new();
    for expected in [2, 2, 1, 0] {
        let count = subscription.poll(&mut |fragment| seen.push(number(&fragment.payload)), 2);
        assert_eq!(count, expected);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    assert_eq!(subscription.images()[0].position, 320);
}
