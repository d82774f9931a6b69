//! Response channels between two drivers, on a network with losses: several requests at once on one endpoint, which end in
//! any order, and clients that die.

use fastrand::Rng;
use gannet::types::{RegistrationId, SessionId, StreamId};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};

use crate::raw_access::RAW;

const REQUESTS: StreamId = StreamId::new(1);
const RESPONSES: StreamId = StreamId::new(2);
const SERVER: &str = "aeron:udp?endpoint=10.0.0.1:40123|term-length=64k";
const ANSWERS: &str = "aeron:udp?control-mode=response|control=10.0.0.1:40124|term-length=64k";
const MILLI: i64 = 1_000_000;
const REQUESTERS: usize = 4;

struct World {
    network: SimNetwork,
    now_ns: i64,
    /// The driver of the server, and that of all requesters.
    drivers: [SimDriver; 2],
    server: SimClient,
    requesters: Vec<Requester>,
}

/// A client with a request. What has ended is `None`.
struct Requester {
    client: Option<SimClient>,
    subscription: Option<RegistrationId>,
    request: Option<RegistrationId>,
    /// The session of its request, once known.
    session: Option<SessionId>,
    /// The server's publication for it.
    answer: Option<RegistrationId>,
    /// The number of messages that the server has sent it, and how many it has received.
    said: u32,
    heard: u32,
}

impl Requester {
    fn new(driver: &SimDriver) -> Self {
        let client = Some(SimClient::new(driver));
        Self { client, subscription: None, request: None, session: None, answer: None, said: 0, heard: 0 }
    }

    /// Requests as soon as there is something to receive the response.
    fn go_on(&mut self) {
        let Some(client) = &mut self.client else { return };
        if self.subscription.is_none() && self.said == 0 {
            self.subscription = Some(client.add_subscription(ANSWERS, RESPONSES).registration());
        } else if let Some(subscription) = self.subscription
            && self.request.is_none()
            && self.session.is_none()
            && client.subscriptions.contains(&subscription)
        {
            let channel = format!("{SERVER}|response-correlation-id={subscription}");
            self.request = Some(client.add_publication(&channel, REQUESTS).registration());
        }
        if let Some(publication) = client.publications.first() {
            self.session = Some(publication.session_id);
        }
    }

    /// Reads what has arrived: its own messages, in order.
    fn hear(&mut self) {
        let Self { client, session, heard, subscription, .. } = self;
        let images = client.iter_mut().flat_map(|client| &mut client.images);
        for image in images.filter(|image| !image.is_gone) {
            assert_eq!(Some(image.subscription), *subscription);
            image.reader.poll(
                |fragment| {
                    let (whose, number) = fragment.payload().split_at(4);
                    assert_eq!(whose, session.expect("it has asked").get().to_le_bytes(), "a message for another");
                    assert_eq!(number, heard.to_le_bytes());
                    *heard += 1;
                },
                10,
            );
        }
    }

    /// Whether the server can reach it.
    fn is_whole(&self) -> bool {
        self.client.is_some() && self.subscription.is_some() && self.answer.is_some()
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let network = SimNetwork::new(seed, Weather { lost: 0.1, ..Weather::FAIR });
        let drivers =
            [1, 2].map(|last| SimDriver::new([10, 0, 0, last].into(), &network, seed + last as u64, RAW, |_| {}));
        let mut server = SimClient::new(&drivers[0]);
        server.add_subscription(SERVER, REQUESTS);
        let requesters = (0..REQUESTERS).map(|_| Requester::new(&drivers[1])).collect();
        Self { network, now_ns: 1_000 * MILLI, drivers, server, requesters }
    }

    /// All have got an answer, and their first message.
    fn answered(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.until("answers", |world| {
            world.answer();
            world.requesters.iter().all(Requester::is_whole)
        });
        world.exchange();
        world
    }

    fn turn(&mut self) {
        self.now_ns += MILLI;
        self.network.set_now(self.now_ns);
        for driver in &mut self.drivers {
            driver.turn(self.now_ns, Awake::ALL);
        }
        self.server.turn(self.now_ns, &self.drivers[0]);
        for requester in &mut self.requesters {
            if let Some(client) = &mut requester.client {
                client.turn(self.now_ns, &self.drivers[1]);
            }
            requester.go_on();
            requester.hear();
        }
    }

    /// Answers each new request.
    fn answer(&mut self) {
        for image in &self.server.images {
            let asks = |one: &&mut Requester| one.session == Some(image.session_id) && one.answer.is_none();
            if let Some(requester) = self.requesters.iter_mut().find(asks).filter(|one| one.said == 0) {
                let channel = format!("{ANSWERS}|response-correlation-id={}", image.correlation_id);
                requester.answer = Some(self.server.add_publication(&channel, RESPONSES).registration());
                return;
            }
        }
    }

    /// Advances time until the condition holds. Fails after two minutes.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = self.now_ns + 120_000 * MILLI;
        while !holds(self) {
            assert!(self.now_ns < deadline, "no {what}");
            self.turn();
        }
    }

    /// Everybody whom the server can reach receives a message of its own.
    fn exchange(&mut self) {
        for index in 0..self.requesters.len() {
            if self.requesters[index].is_whole() {
                self.until("room for a message", |world| world.say(index));
            }
        }
        self.until("messages", |world| world.requesters.iter().all(|one| !one.is_whole() || one.heard == one.said));
    }

    /// Sends a message to a requester, if its publication takes it.
    fn say(&mut self, index: usize) -> bool {
        let requester = &mut self.requesters[index];
        let mut publications = self.server.publications.iter_mut();
        let is_its = |known: &&mut gannet_driver::sim::SimPublication| {
            Some(known.correlation_id.registration()) == requester.answer
        };
        let Some(publication) = publications.find(is_its) else { return false };
        let session = requester.session.expect("it has asked").get();
        let message = [session.to_le_bytes(), requester.said.to_le_bytes()].concat();
        let is_said = publication.appender.offer(&message).is_ok();
        requester.said += u32::from(is_said);
        is_said
    }

    /// Ends a part of a request.
    fn end(&mut self, index: usize, part: usize) {
        let requester = &mut self.requesters[index];
        let Some(client) = &mut requester.client else { return };
        match part {
            0 => requester.subscription.take().into_iter().for_each(|gone| client.remove_subscription(gone)),
            1 => requester.request.take().into_iter().for_each(|gone| client.remove_publication(gone, false)),
            2 => requester.answer.take().into_iter().for_each(|gone| self.server.remove_publication(gone, false)),
            3 => client.close(),
            // It dies without a word.
            _ => {}
        }
        if part >= 3 {
            requester.client = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.drivers.iter().all(|driver| {
            driver.held() == (0, 0)
                && driver.counters_in_use() == 0
                && driver.sender().publications().next().is_none()
                && driver.receiver().images().next().is_none()
        })
    }
}

/// Each requester receives what is meant for it, whatever happens to the others, and nothing is left in the end.
#[test]
fn requests_end_in_any_order() {
    for seed in 0..2 {
        let mut random = Rng::with_seed(seed);
        let mut world = World::answered(seed);
        let mut ends: Vec<_> = (0..REQUESTERS).flat_map(|index| (0..3).map(move |part| (index, part))).collect();
        ends.push((random.usize(..REQUESTERS), 3));
        ends.push((random.usize(..REQUESTERS), 4));
        random.shuffle(&mut ends);
        for (index, part) in ends {
            world.end(index, part);
            for _ in 0..random.usize(..1_500) {
                world.turn();
            }
            world.exchange();
        }
        world.server.close();
        for requester in &mut world.requesters {
            requester.client.iter_mut().for_each(SimClient::close);
        }
        world.until("end", |world| world.is_empty());
        for driver in &world.drivers {
            assert_eq!(driver.errors(), Vec::<String>::new(), "seed {seed}");
        }
    }
}

/// A response that was closed while its requester was out of reach does not keep a later one from it.
#[test]
fn an_answer_that_nobody_heard_makes_way_for_the_next() {
    let mut world = World::new(11);
    world.until("requests", |world| world.server.images.len() == REQUESTERS);
    let hosts = [0, 1].map(|index: usize| world.drivers[index].host());
    world.network.cut(hosts[0], hosts[1]);
    world.network.cut(hosts[1], hosts[0]);
    world.until("answers", |world| {
        world.answer();
        world.server.publications.len() == REQUESTERS
    });
    (0..REQUESTERS).for_each(|index| world.end(index, 2));
    (0..3_000).for_each(|_| world.turn());
    world.network.heal();
    (0..2_000).for_each(|_| world.turn());
    world.until("other answers", |world| {
        world.answer();
        world.requesters.iter().all(Requester::is_whole)
    });
    world.exchange();
}

/// After a partition in which all images were lost, each answer reaches its requester again.
#[test]
fn answers_outlive_a_partition() {
    let mut world = World::answered(7);
    let hosts = [0, 1].map(|index: usize| world.drivers[index].host());
    for lasts_ms in [3_000, 7_000, 25_000] {
        world.network.cut(hosts[0], hosts[1]);
        world.network.cut(hosts[1], hosts[0]);
        for _ in 0..lasts_ms {
            world.turn();
        }
        world.network.heal();
        world.exchange();
        assert!(world.requesters.iter().all(Requester::is_whole));
    }
}
