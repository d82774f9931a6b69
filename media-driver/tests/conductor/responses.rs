//! Request and response: a subscription that waits for the one publication that responds to a request.

use gannet::protocol::Setup;
use gannet::types::ClientId;
use gannet_driver::mailbox::SenderEvent;
use gannet_driver::shared::{Condition, ImageWords};

use crate::network::{SETUP, present, receiver_told};
use crate::support::{AddedPublication, Driver, IPC};

/// A server whose subscription has received a request.
struct Server {
    driver: Driver,
    client: ClientId,
    /// The image of the request, and its words.
    request: i64,
    words: ImageWords,
}

impl Server {
    fn new() -> Self {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123");
        let endpoint = receiver_told(&mut driver).0[0].id;
        let image = present(&mut driver, endpoint, Setup { asks_for_response: true, ..SETUP }).expect("an image");
        Self { driver, client, request: image.registration_id.get(), words: image.words }
    }

    /// The channel of a response.
    fn channel(&self) -> String {
        let answers = "aeron:udp?control-mode=response|control=localhost:9|term-length=64k";
        format!("{answers}|response-correlation-id={}", self.request)
    }

    fn answer(&mut self, client: ClientId) -> AddedPublication {
        let channel = self.channel();
        self.driver.add_exclusive_publication(client, &channel)
    }

    /// Lets two seconds pass.
    fn pass(&mut self) {
        let client = self.client;
        self.driver.pass_with(2_000, |driver| driver.beat(client));
    }

    /// The sessions that the requester was to be told since the last call.
    fn announced(&mut self) -> Vec<Option<i32>> {
        let told = receiver_told(&mut self.driver).2;
        let of_request = format!("SetResponseSession(RegistrationId({}), ", self.request);
        let told = told.iter().filter_map(|told| told.strip_prefix(&of_request));
        told.map(|session| session.trim_matches(|other: char| !"-0123456789".contains(other)).parse().ok()).collect()
    }
}

/// A response that ends before it has its receiver is not announced any more, however it ends: the requester would wait
/// for it, and for no other one.
#[test]
fn an_answer_that_ends_before_it_is_heard_is_withdrawn() {
    for revoked in [false, true] {
        let mut server = Server::new();
        let answer = server.answer(server.client);
        assert_eq!(server.announced(), [Some(answer.session)]);
        server.pass();
        assert_eq!(server.announced(), [], "it is open");
        server.driver.remove_publication(server.client, answer.correlation.registration(), revoked);
        server.pass();
        assert_eq!(server.announced(), [None]);
        server.pass();
        assert_eq!(server.announced(), [], "once");
        let again = server.answer(server.client);
        server.pass();
        assert_eq!(server.announced(), [Some(again.session)], "the request may be answered again");
    }
    let mut server = Server::new();
    let dying = server.driver.client();
    let answer = server.answer(dying);
    assert_eq!(server.announced(), [Some(answer.session)]);
    server.driver.pass_with(30_000, |driver| driver.beat(server.client));
    assert_eq!(server.announced(), [None], "its client is dead");
}

/// Nobody would be told of the response to a request whose image has ended. It is refused, as for an image that never was.
#[test]
fn a_request_that_has_ended_is_not_answered() {
    let mut server = Server::new();
    server.words.set_condition(Condition::Silent);
    server.pass();
    let answer = server.answer(server.client);
    assert_eq!(server.announced(), [Some(answer.session)], "its sender is told that it leaves, and of the response");
    server.pass();
    assert!(server.driver.events().iter().any(|event| event.starts_with("unavailable image ")));
    let channel = server.channel();
    let command = server.driver.add_publication_command(server.client, &channel, true);
    let refusal = server.driver.run(&command).remove(0);
    let expected = format!("unable to resolve image {}", server.request);
    assert!(refusal.starts_with("error 11 ") && refusal.ends_with(&expected), "{refusal}");
}

/// Of two responses to one request the newer is announced. If that ends before it has its receiver, the older is, unless it has
/// had its receiver or has ended.
#[test]
fn of_two_answers_the_one_that_is_left_is_announced() {
    for (heard, ended) in [(false, false), (true, false), (false, true)] {
        let mut server = Server::new();
        let first = server.answer(server.client);
        if heard {
            server.driver.conductor.on_sender_event(SenderEvent::ResponseConnected(first.original));
        }
        let second = server.answer(server.client);
        let expected = [Some(Some(first.session)), heard.then_some(None), Some(Some(second.session))];
        assert_eq!(server.announced(), expected.into_iter().flatten().collect::<Vec<_>>());
        if ended {
            server.driver.remove_publication(server.client, first.correlation.registration(), false);
            server.pass();
            assert_eq!(server.announced(), [], "the other is announced");
        }
        server.driver.remove_publication(server.client, second.correlation.registration(), false);
        server.pass();
        assert_eq!(server.announced(), [Some(first.session).filter(|_| !heard && !ended)]);
    }
}

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
