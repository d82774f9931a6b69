//! Drivers that resolve names of channels themselves: by announcements over real sockets, and by a table.

use std::net::UdpSocket;

use gannet::Client;
use gannet::counters::{SystemCounter, type_id};
use gannet_driver::config::{DriverConfig, NameResolverName, ThreadingMode};
use gannet_driver::{LaunchError, MediaDriver};

use super::{PATIENCE, STREAM, config, context, exchange, free_port, wait_for};

fn gossiping(name: &str, interface: &str, first: &str) -> Result<(MediaDriver, Client), LaunchError> {
    let driver = MediaDriver::launch_embedded(gossip(name, interface, first))?;
    let client = Client::connect(context(driver.dir())).unwrap();
    Ok((driver, client))
}

fn gossip(name: &str, interface: &str, first: &str) -> DriverConfig {
    let mut config = config(ThreadingMode::Shared);
    config.resolver.supplier = NameResolverName::Driver;
    config.resolver.name = name.to_owned();
    config.resolver.interface = interface.to_owned();
    config.resolver.bootstrap_neighbor = first.to_owned();
    // A busy machine may not run the other driver for a while.
    config.resolver.neighbor_timeout = PATIENCE;
    config
}

/// The label and the value of a driver's counter of this type.
fn counter(client: &Client, type_id: i32) -> (String, i64) {
    let counters = client.counters();
    let mut found = None;
    counters.for_each(|counter| {
        if counter.type_id == type_id {
            found = Some((counter.label.to_string(), counter.value));
        }
    });
    found.expect("a counter of this type")
}

/// One driver is configured with the other by a name of the operating system, and the other with none. Both leave their
/// ports to it.
#[test]
fn streams_cross_by_the_names_of_drivers() {
    let (_first_driver, first) = gossiping("first-driver", "127.0.0.1:0", "").unwrap();
    let (label, _) = counter(&first, type_id::NAME_RESOLVER_NEIGHBORS);
    let port = label.strip_prefix("Resolver neighbors: bound 127.0.0.1:").expect("where it is bound").to_owned();
    let (_second_driver, second) = gossiping("second-driver", "127.0.0.1:0", &format!("localhost:{port}")).unwrap();
    for client in [&first, &second] {
        wait_for("names", || counter(client, type_id::NAME_RESOLVER_CACHE_ENTRIES).1 == 1);
        wait_for("neighbors", || counter(client, type_id::NAME_RESOLVER_NEIGHBORS).1 == 1);
    }
    let expected = format!("Bootstrap neighbor: name=localhost:{port} resolved=127.0.0.1:{port}");
    assert_eq!(counter(&second, type_id::BOOTSTRAP_NEIGHBOR).0, expected);
    let longest = |client: &Client| client.counters().value(SystemCounter::NameResolverMaxTime.id());
    assert!(longest(&second).is_some_and(|took_ns| took_ns > 0), "localhost was looked up");
    assert_eq!(longest(&first), Some(0), "it needed no name of the system");
    for (from, to, name) in [(&first, &second, "second-driver"), (&second, &first, "first-driver")] {
        let channel = format!("aeron:udp?endpoint={name}:{}|term-length=64k", free_port());
        let mut subscription = to.add_subscription(&channel, STREAM).unwrap();
        let mut publication = from.add_exclusive_publication(&channel, STREAM).unwrap();
        exchange(&mut publication, &mut subscription, &[700; 100]);
    }
}

#[test]
fn a_stream_crosses_by_a_name_of_a_table() {
    let mut config = config(ThreadingMode::Shared);
    config.resolver.supplier = NameResolverName::CsvTable;
    config.resolver.init_args = "server,127.0.0.1,localhost|client,localhost,localhost".to_owned();
    let driver = MediaDriver::launch_embedded(config).unwrap();
    let client = Client::connect(context(driver.dir())).unwrap();
    let channel = format!("aeron:udp?endpoint=server:{}|term-length=64k", free_port());
    let mut subscription = client.add_subscription(&channel, STREAM).unwrap();
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    exchange(&mut publication, &mut subscription, &[700; 100]);
}

#[test]
fn a_driver_that_cannot_gossip_does_not_start() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let interface = taken.local_addr().unwrap().to_string();
    for (interface, reason) in [(&*interface, "another socket has this port"), ("198.51.100.7:0", "no interface")] {
        let error = gossiping("first-driver", interface, "").expect_err("a driver that does not start");
        let text = error.to_string();
        assert!(matches!(error, LaunchError::Resolver(_)), "{text}");
        assert!(text.contains(reason) && text.contains(&format!("resolver.interface={interface}")), "{text}");
    }
}

/// The socket of its resolver is taken as well, but that is not what is wrong.
#[test]
fn a_second_driver_in_a_directory_is_told_of_the_first() {
    let temp = tempfile::tempdir().unwrap();
    let mut config = gossip("driver", &format!("127.0.0.1:{}", free_port()), "");
    config.directory.dir = Some(temp.path().to_owned());
    let _first = MediaDriver::launch(config.clone()).unwrap();
    let error = MediaDriver::launch(config).expect_err("a directory has one driver");
    assert!(matches!(error, LaunchError::Directory(_)), "{error}");
}
