//! A stranger revokes a stream whose publisher goes on. The subscriber loses its image, and gets another one of the same
//! session, from where the stream is by then.

use gannet::protocol::Heartbeat;
use gannet::types::{StreamId, TermLength};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};

use crate::raw_access::RAW;

const STREAM: StreamId = StreamId::new(1001);
const MILLI: i64 = 1_000_000;
const CHANNEL: &str = "aeron:udp?endpoint=10.0.0.2:40001";

struct World {
    network: SimNetwork,
    now_ns: i64,
    /// The publisher and the subscriber.
    hosts: [(SimDriver, SimClient); 2],
    said: u32,
}

impl World {
    /// Lets the stream flow until this holds.
    fn until(&mut self, what: &str, is_so: impl Fn(&[(SimDriver, SimClient); 2]) -> bool) {
        for _ in 0..120_000 {
            if is_so(&self.hosts) {
                return;
            }
            self.now_ns += MILLI;
            self.network.set_now(self.now_ns);
            for (driver, client) in &mut self.hosts {
                driver.turn(self.now_ns, Awake::ALL);
                client.turn(self.now_ns, driver);
            }
            for publication in &mut self.hosts[0].1.publications {
                self.said += u32::from(publication.appender.offer(&self.said.to_le_bytes()).is_ok());
            }
            for image in self.hosts[1].1.images.iter_mut().filter(|image| !image.is_gone) {
                let mut before = None;
                image.reader.poll(
                    |fragment| {
                        let found = fragment.payload().first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                        assert!(found.is_some() && before.is_none_or(|before: u32| Some(before + 1) == found));
                        before = found;
                    },
                    20,
                );
            }
        }
        panic!("{what} does not come");
    }
}

#[test]
fn a_stream_that_was_revoked_by_a_stranger_comes_back() {
    let network = SimNetwork::new(1, Weather::FAIR);
    let hosts = [1, 2].map(|last| {
        let driver = SimDriver::new([10, 0, 0, last].into(), &network, last.into(), RAW, |_| {});
        let client = SimClient::new(&driver);
        (driver, client)
    });
    let mut world = World { network, now_ns: 1_000 * MILLI, hosts, said: 0 };
    world.hosts[0]
        .1
        .add_publication(&format!("{CHANNEL}|term-length=64k|init-term-id=7|term-id=7|term-offset=0"), STREAM);
    world.hosts[1].1.add_subscription(CHANNEL, STREAM);
    world.until("the stream", |hosts| {
        hosts[1].1.images.first().is_some_and(|image| image.reader.position().get() > 9_000)
    });

    let image = &world.hosts[1].1.images[0];
    let (first, position) = (image.correlation_id, image.reader.position());
    let term_length = TermLength::MIN;
    let revoke = Heartbeat {
        term_offset: term_length.offset(position),
        session_id: image.session_id,
        stream_id: STREAM,
        term_id: term_length.term_id(position, 7.into()),
        end_of_stream: true,
        revoked: true,
    };
    let mut bytes = [0; 32];
    revoke.write(&mut bytes);
    world.network.inject(([10, 0, 0, 9], 5).into(), ([10, 0, 0, 2], 40_001).into(), &bytes);
    world.until("the end of the image", |hosts| hosts[1].1.images[0].is_gone);
    let is_another = |hosts: &[(SimDriver, SimClient); 2]| {
        let images = &hosts[1].1.images;
        images.iter().any(|one| one.correlation_id != first && !one.is_gone && one.reader.position().get() > 99_000)
    };
    world.until("another image", is_another);
    assert_eq!(world.hosts[0].1.publications.len(), 1, "the publisher has lost nothing");
}
