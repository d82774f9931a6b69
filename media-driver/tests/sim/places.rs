//! A subscription that receives the same stream at two places, from two drivers: each message once and in order, while
//! either way is cut or removed.

use gannet::types::{RegistrationId, StreamId};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};

use crate::raw_access::RAW;

const STREAM: StreamId = StreamId::new(1001);
const MILLI: i64 = 1_000_000;
const PLACES: [&str; 2] = ["aeron:udp?endpoint=10.0.0.3:40001", "aeron:udp?endpoint=10.0.0.3:40002"];
const COPY: &str = "session-id=77|init-term-id=5|term-id=5|term-offset=0|term-length=1m|linger=20s";

struct World {
    network: SimNetwork,
    now_ns: i64,
    /// Two drivers with a publisher each, and one with the subscriber.
    hosts: [(SimDriver, SimClient); 3],
    subscription: RegistrationId,
    said: [u32; 2],
    heard: u32,
    /// The number of images that the subscriber has read.
    images: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let network = SimNetwork::new(seed, Weather { lost: 0.1, repeated: 0.05, ..Weather::FAIR });
        let mut hosts = [1, 2, 3].map(|last| {
            let driver = SimDriver::new([10, 0, 0, last].into(), &network, seed + u64::from(last), RAW, |_| {});
            let client = SimClient::new(&driver);
            (driver, client)
        });
        let subscription = hosts[2].1.add_subscription("aeron:udp?control-mode=manual", STREAM).registration();
        let (said, heard, images) = ([0; 2], 0, 0);
        let mut world = Self { network, now_ns: 1_000 * MILLI, hosts, subscription, said, heard, images };
        world.pass(10);
        for (index, place) in PLACES.into_iter().enumerate() {
            world.change(index, true);
            world.hosts[index].1.add_publication(&format!("{place}|{COPY}"), STREAM);
        }
        // Both are heard before one is half a term ahead of the other.
        while world.said != [1; 2] {
            assert!(world.now_ns < 20_000 * MILLI, "both are connected");
            world.say(1);
            world.turn();
        }
        world
    }

    /// Adds or removes a place of the subscription.
    fn change(&mut self, place: usize, adds: bool) {
        let subscription = self.subscription;
        self.hosts[2].1.change_receive_destination(subscription, PLACES[place], adds);
    }

    /// Nothing passes between a publisher and the subscriber.
    fn cut(&mut self, index: usize) {
        let [from, to] = [index, 2].map(|index| self.hosts[index].0.host());
        self.network.cut(from, to);
        self.network.cut(to, from);
    }

    fn turn(&mut self) {
        self.now_ns += MILLI;
        self.network.set_now(self.now_ns);
        for (driver, client) in &mut self.hosts {
            driver.turn(self.now_ns, Awake::ALL);
            client.turn(self.now_ns, driver);
        }
        let client = &mut self.hosts[2].1;
        self.images = self.images.max(client.images.len());
        for image in client.images.iter_mut().filter(|image| !image.is_gone) {
            let heard = &mut self.heard;
            image.reader.poll(
                |fragment| {
                    assert_eq!(fragment.payload()[..4], heard.to_le_bytes());
                    *heard += 1;
                },
                20,
            );
        }
    }

    fn pass(&mut self, turns: usize) {
        (0..turns).for_each(|_| self.turn());
    }

    /// Both publish as far as they may, up to this message.
    fn say(&mut self, until: u32) {
        for ((_, client), said) in self.hosts.iter_mut().zip(&mut self.said) {
            let Some(publication) = client.publications.first_mut() else { continue };
            while *said < until && publication.appender.offer(&[&said.to_le_bytes()[..], &[7; 700]].concat()).is_ok() {
                *said += 1;
            }
        }
    }

    /// Advances time until this message has been received. Fails after two minutes.
    fn until_heard(&mut self, message: u32) {
        let deadline = self.now_ns + 120_000 * MILLI;
        while self.heard < message {
            assert!(self.now_ns < deadline, "heard {} of {:?}", self.heard, self.said);
            self.say(message);
            self.turn();
        }
    }
}

#[test]
fn a_stream_of_two_ways_needs_one() {
    for seed in 0..2 {
        let mut world = World::new(seed);
        world.until_heard(200);
        for way in [0, 1] {
            world.cut(way);
            world.until_heard(world.heard + 300);
            world.network.heal();
            world.until_heard(world.heard + 100);
            // Without that place, and with it again.
            world.change(way, false);
            world.until_heard(world.heard + 300);
            world.change(way, true);
            world.until_heard(world.heard + 100);
        }
        assert_eq!(world.images, 1, "one image all the time");
        // Whoever is behind catches up, so that both end at the same position.
        let last = world.said[0].max(world.said[1]);
        while world.said != [last; 2] {
            world.say(last);
            world.turn();
        }
        for (driver, client) in &mut world.hosts[..2] {
            let publication = client.publications[0].correlation_id.registration();
            client.remove_publication(publication, false);
            assert_eq!(driver.errors(), Vec::<String>::new());
        }
        let closed_ns = world.now_ns;
        while !world.hosts[2].1.images[0].is_gone {
            world.turn();
            assert!(world.now_ns < closed_ns + 8_000 * MILLI, "both have ended");
        }
        assert_eq!((world.heard, world.hosts[2].0.errors()), (last, Vec::new()), "seed {seed}");
    }
}
