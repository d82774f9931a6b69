//! Hosts and a switch between them, as namespaces of the kernel with virtual cables: each host has its own addresses and its own driver,
//! and what the network does to datagrams, the kernel does. Gone when dropped, whatever came of the test.
//!
//! Needs `ip` and `tc` (the Debian package `iproute2`) and a user who may make namespaces.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::driver_process::DriverProcess;

/// Hosts on one switch, from 1.
pub(crate) struct Network {
    /// What the names of its namespaces start with.
    name: String,
    hosts: usize,
}

/// `ip` sets the folder of names up when it makes the first one, and two that do so at a time get into each other's way.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Network {
    /// A network of so many hosts.
    ///
    /// # Errors
    ///
    /// Why there can be none here.
    pub(crate) fn new(hosts: usize) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        for (program, version) in [("ip", "-Version"), ("tc", "-Version")] {
            if Command::new(program).arg(version).output().is_err() {
                return Err(format!("there is no {program}: install the package iproute2"));
            }
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // From here on, what was made goes when this is dropped.
        let network = Self { name: format!("gannet-{}-{number}", std::process::id()), hosts };
        {
            let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let made = run("ip", &format!("netns add {}", network.switch()));
            if !made.status.success() {
                let reason = String::from_utf8_lossy(&made.stderr).trim().to_owned();
                return Err(format!("network namespaces cannot be made here: {reason}"));
            }
            (1..=hosts).for_each(|host| must("ip", &format!("netns add {}", network.host(host))));
        }
        let switch = network.switch();
        // A switch that is told by nobody who listens to which group passes groups on to all.
        must("ip", &format!("-n {switch} link add switch type bridge mcast_snooping 0"));
        must("ip", &format!("-n {switch} link set switch up"));
        for number in 1..=hosts {
            let host = network.host(number);
            must("ip", &format!("-n {switch} link add port{number} type veth peer name eth0 netns {host}"));
            must("ip", &format!("-n {switch} link set port{number} master switch up"));
            must("ip", &format!("-n {host} address add {}/24 dev eth0", network.address(number)));
            must("ip", &format!("-n {host} link set lo up"));
            must("ip", &format!("-n {host} link set eth0 up"));
        }
        Ok(network)
    }

    /// The IPv4 address of a host.
    pub(crate) fn address(&self, host: usize) -> String {
        assert!((1..=self.hosts).contains(&host));
        format!("10.77.0.{host}")
    }

    /// Starts a driver on a host.
    pub(crate) fn driver(&self, host: usize, dir: &Path, arguments: &[&str]) -> DriverProcess {
        let namespace = self.host(host);
        DriverProcess::spawn_by(&["ip", "netns", "exec", &namespace], dir, arguments).ready()
    }

    /// Pulls a host's cable out at the switch, or puts it in again.
    pub(crate) fn cable(&self, host: usize, is_in: bool) {
        must("ip", &format!("-n {} link set port{host} {}", self.switch(), up_or_down(is_in)));
    }

    /// Takes a host's own interface down, or up.
    pub(crate) fn interface(&self, host: usize, is_up: bool) {
        must("ip", &format!("-n {} link set eth0 {}", self.host(host), up_or_down(is_up)));
    }

    /// Has what a host sends pass through a cable that holds it back, and loses so many of a hundred packets. The kernel's emulator
    /// of networks does that, or where a kernel comes without it: a queue that drains at 50 Mbit/s, behind a filter that drops
    /// at random.
    pub(crate) fn spoil(&self, host: usize, percent: u32) {
        let host = self.host(host);
        let emulated = format!("-n {host} qdisc add dev eth0 root netem delay 2ms 1ms loss {percent}%");
        if run("tc", &emulated).status.success() {
            return;
        }
        self.throttle_to(&host, "50mbit");
        must("tc", &format!("-n {host} qdisc add dev eth0 clsact"));
        // Load a random word; if it is not below the bound, pass; else drop.
        let bound = u32::MAX / 100 * percent;
        let program = format!("4,32 0 0 4294963256,53 1 0 {bound},6 0 0 2,6 0 0 0");
        let filter = format!("-n {host} filter add dev eth0 egress bpf direct-action bytecode");
        let mut words: Vec<&str> = filter.split(' ').collect();
        words.push(&program);
        succeeded("tc", &words);
    }

    /// Has what arrives at a host come through a cable that takes 5 Mbit in a second.
    pub(crate) fn throttle(&self, host: usize) {
        must("tc", &format!("-n {} qdisc add dev port{host} root tbf rate 5mbit burst 32kb limit 1mb", self.switch()));
    }

    fn throttle_to(&self, namespace: &str, rate: &str) {
        must("tc", &format!("-n {namespace} qdisc add dev eth0 root tbf rate {rate} burst 32kb limit 1mb"));
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }

    fn host(&self, host: usize) -> String {
        format!("{}-host{host}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Cables and addresses go with what they are in. Not all of it need have been made.
        for host in 1..=self.hosts {
            run("ip", &format!("netns delete {}", self.host(host)));
        }
        run("ip", &format!("netns delete {}", self.switch()));
    }
}

fn up_or_down(is_up: bool) -> &'static str {
    if is_up { "up" } else { "down" }
}

fn run(program: &str, words: &str) -> Output {
    Command::new(program).args(words.split(' ')).output().expect("it was there a moment ago")
}

fn must(program: &str, words: &str) {
    succeeded(program, &words.split(' ').collect::<Vec<_>>());
}

fn succeeded(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().expect("it was there a moment ago");
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}
