//! Spies that simulate a connection, and a receiver of the same publication that comes and goes: the spies read every
//! message, and the receiver every one from where it joins.

use gannet::types::{RegistrationId, StreamId};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};

use crate::raw_access::RAW;

const STREAM: StreamId = StreamId::new(1001);
const MILLI: i64 = 1_000_000;
const CHANNEL: &str = "aeron:udp?endpoint=10.0.0.2:40001";

struct World {
    network: SimNetwork,
    now_ns: i64,
    /// The publisher and its spies, and the receiver.
    hosts: [(SimDriver, SimClient); 2],
    said: u32,
    listeners: Vec<Listener>,
}

/// A spy, or the receiver.
struct Listener {
    host: usize,
    subscription: RegistrationId,
    /// The next message of each image.
    next: Vec<Option<u32>>,
    /// The number of fragments that it reads in a turn.
    haste: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let network = SimNetwork::new(seed, Weather { lost: 0.05, ..Weather::FAIR });
        let hosts = [1, 2].map(|last| {
            let driver = SimDriver::new([10, 0, 0, last].into(), &network, seed + u64::from(last), RAW, |_| {});
            let client = SimClient::new(&driver);
            (driver, client)
        });
        let mut world = Self { network, now_ns: 1_000 * MILLI, hosts, said: 0, listeners: Vec::new() };
        world.hosts[0].1.add_publication(&format!("{CHANNEL}|ssc=true|term-length=64k"), STREAM);
        world
    }

    fn listen(&mut self, host: usize, channel: &str, haste: usize) {
        let subscription = self.hosts[host].1.add_subscription(channel, STREAM).registration();
        self.listeners.push(Listener { host, subscription, next: Vec::new(), haste });
    }

    /// Ends the listener that was added last.
    fn end_last(&mut self) {
        let gone = self.listeners.pop().expect("a listener");
        self.hosts[gone.host].1.remove_subscription(gone.subscription);
    }

    fn turn(&mut self) {
        self.now_ns += MILLI;
        self.network.set_now(self.now_ns);
        for (driver, client) in &mut self.hosts {
            driver.turn(self.now_ns, Awake::ALL);
            client.turn(self.now_ns, driver);
        }
        for Listener { host, subscription, next, haste } in &mut self.listeners {
            let images = self.hosts[*host].1.images.iter_mut().filter(|image| image.subscription == *subscription);
            for (number, image) in images.enumerate().filter(|(_, image)| !image.is_gone) {
                next.resize(next.len().max(number + 1), None);
                let next = &mut next[number];
                image.reader.poll(
                    |fragment| {
                        let found = fragment.payload().first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                        let found = found.expect("a numbered message");
                        assert_eq!(found, next.unwrap_or(found), "in order, none missing");
                        *next = Some(found + 1);
                    },
                    *haste,
                );
            }
        }
    }

    /// Publishes so many further messages, as far as the limit allows, and lets all spies read them.
    fn go_on(&mut self, count: u32) {
        let last = self.said + count;
        let deadline = self.now_ns + 120_000 * MILLI;
        let is_read = |world: &Self| {
            let mut spies = world.listeners.iter().filter(|listener| listener.host == 0);
            spies.all(|spy| spy.next.last() == Some(&Some(last)))
        };
        while !is_read(self) {
            assert!(self.now_ns < deadline, "said {} of {last}", self.said);
            if let Some(publication) = self.hosts[0].1.publications.first_mut() {
                while self.said < last
                    && publication.appender.offer(&[&self.said.to_le_bytes()[..], &[7; 700]].concat()).is_ok()
                {
                    self.said += 1;
                }
            }
            self.turn();
        }
    }

    /// Advances time until the receiver has read up to the last message.
    fn until_received(&mut self) {
        let is_it = |listener: &&Listener| listener.host == 1;
        for _ in 0..120 {
            self.go_on(1);
            for _ in 0..1_000 {
                self.turn();
                if self.listeners.iter().find(is_it).and_then(|one| *one.next.last()?) == Some(self.said) {
                    return;
                }
            }
        }
        panic!("the receiver has nothing of {} messages", self.said);
    }
}

#[test]
fn spies_read_on_whatever_becomes_of_the_receiver() {
    for seed in 0..2 {
        let mut world = World::new(seed);
        world.listen(0, &format!("aeron-spy:{CHANNEL}"), 20);
        world.go_on(300);
        world.listen(1, CHANNEL, 20);
        world.until_received();
        let hosts = [0, 1].map(|index: usize| world.hosts[index].0.host());
        for lasts_ms in [2_000, 7_000, 25_000] {
            world.network.cut(hosts[0], hosts[1]);
            world.network.cut(hosts[1], hosts[0]);
            for _ in 0..lasts_ms / 100 {
                world.go_on(3);
                (0..100).for_each(|_| world.turn());
            }
            world.network.heal();
            world.until_received();
        }
        // A second spy is slower than the first, joins late, and leaves early.
        world.listen(0, &format!("aeron-spy:{CHANNEL}"), 1);
        world.go_on(300);
        world.until_received();
        world.end_last();
        world.go_on(300);
        world.until_received();
        let publication = world.hosts[0].1.publications[0].correlation_id.registration();
        world.hosts[0].1.remove_publication(publication, false);
        let closed_ns = world.now_ns;
        while !world.hosts.iter().all(|(_, client)| client.images.iter().all(|image| image.is_gone)) {
            world.turn();
            assert!(world.now_ns < closed_ns + 20_000 * MILLI, "it has ended");
        }
        for (driver, _) in &world.hosts {
            assert_eq!(driver.errors(), Vec::<String>::new(), "seed {seed}");
        }
    }
}
