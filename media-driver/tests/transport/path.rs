//! Messages go from a publication over two drivers to a subscription without an allocation after a warm-up. Everything
//! that the sender, the receiver, the conductors and the clients do for them is counted. The test's thread invokes both
//! drivers.
#![expect(clippy::disallowed_methods, reason = "waits with a deadline")]

use std::time::{Duration, Instant};

use gannet::{Client, Context, ExclusivePublication, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile, ThreadingMode, TransportName};
use gannet_driver::io::transport::choose;

use crate::counting::allocations;
use crate::ports;
use crate::skip;

const PATIENCE: Duration = Duration::from_secs(180);

/// A driver, and a client of it that has no thread either.
struct Host {
    driver: MediaDriver,
    client: Client,
}

impl Host {
    fn start(transport: TransportName, tried_directly: u32) -> Self {
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.threads.mode = ThreadingMode::Invoker;
        (config.process.transport, config.process.sockets_tried_directly) = (transport, tried_directly);
        config.timeouts.client_liveness = Duration::from_secs(600);
        config.timeouts.publication_unblock = Duration::from_secs(700);
        config.timeouts.image_liveness = Duration::from_secs(600);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let context = Context::new().dir(driver.dir()).driver_timeout(Duration::from_secs(600));
        let client = Client::connect(context.use_conductor_invoker()).unwrap();
        Self { driver, client }
    }

    fn settle<T>(&mut self, mut poll: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.driver.invoke();
            self.client.invoke();
            if let Some(found) = poll() {
                return found;
            }
            assert!(Instant::now() < deadline, "the driver does not answer");
        }
    }
}

/// Sends `messages` messages across. Returns the number of allocations.
fn carry(
    hosts: &mut [Host; 2],
    (publication, subscription): (&mut ExclusivePublication, &mut Subscription),
    messages: usize,
) -> usize {
    let before = allocations();
    let (mut sent, mut received, deadline) = (0, 0, Instant::now() + PATIENCE);
    while received < messages {
        while sent < messages && publication.offer(&[7; 288]).is_ok() {
            sent += 1;
        }
        hosts.iter_mut().for_each(|host| _ = host.driver.invoke());
        received += subscription.poll(|_| {}, 64);
        assert!(Instant::now() < deadline, "{received} of {messages}");
    }
    allocations() - before
}

#[test]
fn a_message_crosses_without_an_allocation() {
    a_message_crosses(TransportName::Sockets, 5);
}

/// With io_uring for sends, and also with a receive operation for every socket.
#[test]
fn a_message_crosses_without_an_allocation_over_io_uring() {
    if let Err(reason) = choose(TransportName::IoUring) {
        return skip::report("path::a_message_crosses_without_an_allocation_over_io_uring", &reason.to_string());
    }
    a_message_crosses(TransportName::IoUring, 5);
    a_message_crosses(TransportName::IoUring, 0);
}

fn a_message_crosses(transport: TransportName, tried_directly: u32) {
    let mut hosts = [(); 2].map(|()| Host::start(transport, tried_directly));
    let port = ports::free_port().unwrap();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=64k");
    let mut asked = hosts[1].client.async_add_subscription(&channel, 1, gannet::ImageHandlers::new()).unwrap();
    let mut subscription = hosts[1].settle(|| asked.poll().unwrap());
    let mut asked = hosts[0].client.async_add_exclusive_publication(&channel, 1).unwrap();
    let mut publication = hosts[0].settle(|| asked.poll().unwrap());
    let deadline = Instant::now() + PATIENCE;
    while !(publication.is_connected() && subscription.is_connected()) {
        for host in &mut hosts {
            host.driver.invoke();
            host.client.invoke();
        }
        assert!(Instant::now() < deadline, "no connection");
    }
    // Through every term of the log.
    carry(&mut hosts, (&mut publication, &mut subscription), 5_000);
    // Work that is done a few times per second, whatever is sent, may fall into some of these rounds, and on a busy machine
    // into many.
    let (mut rounds, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while !rounds.contains(&0) {
        assert!(Instant::now() < deadline, "allocations per round: {rounds:?}");
        rounds.push(carry(&mut hosts, (&mut publication, &mut subscription), 1_000));
    }
}
