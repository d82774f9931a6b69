//! Publications and subscriptions whose channels name each other by the driver's ids, for responses.

use super::destinations::{reconnecting, restart};
use super::*;

fn asking(id: i64) -> Wanted {
    Wanted::ExclusivePublication { channel: channel(id), stream_id: STREAM }
}

fn channel(id: i64) -> String {
    format!("aeron:udp?endpoint=127.0.0.1:1|response-correlation-id={id}|alias=asks")
}

/// A request comes back with the id that the subscription of its answers has now.
#[test]
fn requests_come_back_with_the_subscriptions_of_their_answers() {
    let rig = reconnecting();
    let first: Counter = rig.add(counter());
    let answers: Subscription = rig.add(subscription());
    let request: ExclusivePublication = rig.add(asking(answers.registration_id().get()));
    // It has an id less before the others from now on.
    drop(first);
    rig.settle();
    let before = answers.registration_id();
    for _ in 0..2 {
        restart(&rig);
        assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
        assert_ne!(answers.registration_id(), before);
        assert_eq!(rig.driver().channels(), [channel(answers.registration_id().get())]);
        assert!(!request.is_closed());
    }
}

/// The id of something else means nothing to another driver, or something else; to the same driver it is what it was.
#[test]
fn what_others_have_is_not_asked_for_at_another_driver() {
    let rig = reconnecting();
    let mut request: ExclusivePublication = rig.add(asking(4_711));
    rig.stop_for(Duration::from_secs(12));
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().last().unwrap().contains("1 resources restored, 0 not"));
    assert_eq!(rig.driver().channels(), [channel(4_711), channel(4_711)]);
    restart(&rig);
    let told = rig.told();
    let why = told.iter().find(|told| told.contains("not restored")).expect("told of");
    assert!(why.contains("response-correlation-id=4711") && why.contains("add it anew"), "{why}");
    assert!(told.last().unwrap().contains("0 resources restored, 1 not"), "{told:?}");
    assert_eq!(request.offer(b"x"), Err(OfferError::Closed));
    assert_eq!(rig.driver().channels(), [""; 0]);
}

#[test]
fn a_request_does_not_come_back_without_the_subscription_of_its_answers() {
    let rig = reconnecting();
    let answers: Subscription = rig.add(subscription());
    let request: ExclusivePublication = rig.add(asking(answers.registration_id().get()));
    drop(answers);
    rig.settle();
    restart(&rig);
    let told = rig.told();
    assert!(told.iter().any(|told| told.contains("not restored") && told.contains("add it anew")), "{told:?}");
    assert!(request.is_closed());
}
