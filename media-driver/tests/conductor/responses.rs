//! Request and response: a subscription that waits for the one publication that responds to a request.

use crate::support::{Driver, IPC};

#[test]
fn a_response_subscription_gets_the_session_that_answers_it() {
    let mut driver = Driver::new();
    let (asker, answerer) = (driver.client(), driver.client());
    let (subscription, none) = driver.add_subscription(asker, "aeron:ipc?control-mode=response");
    assert_eq!(none.len(), 0);
    let request = driver.add_exclusive_publication(asker, &format!("{IPC}|response-correlation-id={subscription}"));
    assert_eq!(driver.images().len(), 0, "its own request is no answer");
    let stranger = driver.add_exclusive_publication(answerer, IPC);
    assert_eq!(driver.images().len(), 0, "nor is anything else");
    let channel = format!("{IPC}|control-mode=response|response-correlation-id={}", request.original);
    driver.add_exclusive_publication_keeping_events(answerer, &channel);
    let images = driver.images();
    assert_eq!(images.len(), 1, "{images:?}");
    assert_eq!(images[0].subscription, subscription);
    assert!(images[0].session != request.session && images[0].session != stranger.session);
    // Bound for good: a second response is refused, as in the reference's driver.
    let command = driver.add_publication_command(answerer, &channel, true);
    let events = driver.run(&command);
    assert!(events.len() == 1 && events[0].starts_with("error 11 "), "{events:?}");
}

#[test]
fn publications_with_different_response_ids_are_not_shared() {
    let mut driver = Driver::new();
    let client = driver.client();
    let plain = driver.add_publication(client, IPC);
    let first = driver.add_publication(client, &format!("{IPC}|response-correlation-id=7"));
    let second = driver.add_publication(client, &format!("{IPC}|response-correlation-id=8"));
    let again = driver.add_publication(client, &format!("{IPC}|response-correlation-id=7"));
    let prototype = driver.add_publication(client, &format!("{IPC}|response-correlation-id=prototype"));
    assert!(plain.original != first.original && first.original != second.original);
    assert_eq!(again.original, first.original);
    assert!(prototype.original != plain.original);
}

/// A prototype only stands for publications that will respond. As in the reference, no existing subscription is linked
/// to it.
#[test]
fn a_prototype_is_not_given_to_waiting_subscribers() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_subscription(client, "aeron:ipc");
    let channel = format!("{IPC}|response-correlation-id=prototype");
    driver.add_exclusive_publication_keeping_events(client, &channel);
    assert_eq!(driver.images().len(), 0);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(images.len(), 1);
}
