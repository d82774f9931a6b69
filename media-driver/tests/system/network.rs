//! Hosts and a switch between them, as network namespaces with virtual cables. Each host has its own addresses and its
//! own driver, and the kernel applies the network's faults. Everything is removed on drop, whatever the result of the
//! test.
//!
//! Needs `ip` and `tc` (the Debian package `iproute2`) and permission to create namespaces.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::driver_process::{DriverProcess, await_that};

/// The hosts on one switch, numbered from 1.
pub(crate) struct Network {
    /// The prefix of the names of its namespaces.
    name: String,
    hosts: usize,
    /// Why its hosts have no IPv6 addresses, if they have none.
    without_ipv6: Option<String>,
}

/// `ip` creates the folder of names with the first namespace, and two processes that do so at a time disturb each
/// other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Network {
    /// A network of `hosts` hosts.
    ///
    /// # Errors
    ///
    /// The reason why there can be none on this machine.
    pub(crate) fn new(hosts: usize) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        for (program, version) in [("ip", "-Version"), ("tc", "-Version")] {
            if Command::new(program).arg(version).output().is_err() {
                return Err(format!("there is no {program}: install the package iproute2"));
            }
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // From here on, everything created is removed when this is dropped.
        let name = format!("gannet-{}-{number}", std::process::id());
        let mut network = Self { name, hosts, without_ipv6: None };
        {
            let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // Those of a process with the same id that was killed.
            network.remove();
            let made = run("ip", &format!("netns add {}", network.switch()));
            if !made.status.success() {
                let reason = String::from_utf8_lossy(&made.stderr).trim().to_owned();
                return Err(format!("network namespaces cannot be made here: {reason}"));
            }
            (1..=hosts).for_each(|host| must("ip", &format!("netns add {}", network.host(host))));
        }
        let switch = network.switch();
        // A switch that does not know which host listens to which group forwards groups to all.
        must("ip", &format!("-n {switch} link add switch type bridge mcast_snooping 0"));
        must("ip", &format!("-n {switch} link set switch up"));
        for number in 1..=hosts {
            let host = network.host(number);
            must("ip", &format!("-n {switch} link add port{number} type veth peer name eth0 netns {host}"));
            must("ip", &format!("-n {switch} link set port{number} master switch up"));
            must("ip", &format!("-n {host} address add {}/24 dev eth0", network.address(number)));
            // Without a check whether anybody else has the address, it can be used at once.
            let added = run("ip", &format!("-n {host} address add {}/64 dev eth0 nodad", network.ipv6_address(number)));
            if !added.status.success() {
                let reason = String::from_utf8_lossy(&added.stderr).trim().to_owned();
                network.without_ipv6 = Some(format!("there is no IPv6 here: {reason}"));
            }
            must("ip", &format!("-n {host} link set lo up"));
            must("ip", &format!("-n {host} link set eth0 up"));
        }
        (1..=hosts).for_each(|number| network.await_interface(number));
        Ok(network)
    }

    /// The IPv4 address of a host.
    pub(crate) fn address(&self, host: usize) -> String {
        assert!((1..=self.hosts).contains(&host));
        format!("10.77.0.{host}")
    }

    /// The IPv6 address of a host.
    pub(crate) fn ipv6_address(&self, host: usize) -> String {
        assert!((1..=self.hosts).contains(&host));
        format!("fd77::{host}")
    }

    /// Why hosts have no IPv6 addresses, if they have none.
    pub(crate) fn without_ipv6(&self) -> Option<&str> {
        self.without_ipv6.as_deref()
    }

    /// Starts a driver on a host.
    pub(crate) fn driver(&self, host: usize, dir: &Path, arguments: &[&str]) -> DriverProcess {
        let namespace = self.host(host);
        DriverProcess::spawn_by(&["ip", "netns", "exec", &namespace], dir, arguments).ready()
    }

    /// Unplugs a host's cable at the switch, or plugs it in again.
    pub(crate) fn cable(&self, host: usize, is_in: bool) {
        must("ip", &format!("-n {} link set port{host} {}", self.switch(), up_or_down(is_in)));
    }

    /// Takes a host's own interface down, or up.
    pub(crate) fn interface(&self, host: usize, is_up: bool) {
        must("ip", &format!("-n {} link set eth0 {}", self.host(host), up_or_down(is_up)));
    }

    /// Sends a host's packets through a cable with delay and loss, in percent of the packets. This uses the kernel's
    /// network emulator or, in a kernel without it, a queue that drains at 50 Mbit/s behind a filter that drops at
    /// random.
    pub(crate) fn spoil(&self, host: usize, percent: u32) {
        let host = self.host(host);
        let emulated = format!("-n {host} qdisc add dev eth0 root netem delay 2ms 1ms loss {percent}%");
        if run("tc", &emulated).status.success() {
            return;
        }
        self.throttle_to(&host, "50mbit");
        must("tc", &format!("-n {host} qdisc add dev eth0 clsact"));
        // Loads a random word. If it is not below the bound, the packet passes; else it is dropped.
        let bound = u32::MAX / 100 * percent;
        let program = format!("4,32 0 0 4294963256,53 1 0 {bound},6 0 0 2,6 0 0 0");
        let filter = format!("-n {host} filter add dev eth0 egress bpf direct-action bytecode");
        let mut words: Vec<&str> = filter.split(' ').collect();
        words.push(&program);
        succeeded("tc", &words);
    }

    /// Sends what arrives at a host through a cable with 5 Mbit/s.
    pub(crate) fn throttle(&self, host: usize) {
        must("tc", &format!("-n {} qdisc add dev port{host} root tbf rate 5mbit burst 32kb limit 1mb", self.switch()));
    }

    fn throttle_to(&self, namespace: &str, rate: &str) {
        must("tc", &format!("-n {namespace} qdisc add dev eth0 root tbf rate {rate} burst 32kb limit 1mb"));
    }

    /// Waits until a host can send to the others: the kernel completes an interface's start on a thread of its own.
    fn await_interface(&self, host: usize) {
        let host = self.host(host);
        let says = |words: &str, what: &str| {
            let output = run("ip", &format!("-n {host} {words}"));
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains(what)
        };
        await_that("the interface is up", || says("link show eth0", "state UP"));
        if self.without_ipv6.is_none() {
            await_that("there is a way over IPv6", || says("-6 route show", "fd77::/64 dev eth0"));
        }
    }

    /// Removes its namespaces, with cables and addresses. Some may not have been created.
    fn remove(&self) {
        for host in 1..=self.hosts {
            run("ip", &format!("netns delete {}", self.host(host)));
        }
        run("ip", &format!("netns delete {}", self.switch()));
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
        self.remove();
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
