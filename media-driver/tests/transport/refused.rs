//! A path that takes no datagram as long as a channel's: the driver tells its operator where, and what to do.
#![expect(clippy::disallowed_methods, reason = "waits with a deadline")]

use std::time::{Duration, Instant};

use gannet::cnc::CncFile;
use gannet::counters::SystemCounter;
use gannet::memory::FileAccess;
use gannet::time::EpochMillis;
use gannet::{Client, Context};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, TransportName};

use crate::forbidden::fail_from;
use crate::ports;

const PATIENCE: Duration = Duration::from_secs(180);
/// The longest datagram that the path takes, in bytes.
const LONGEST: u32 = 1_472;

/// The kernel refuses the driver's long datagrams as it does where the path takes none of that length: threads inherit this
/// from their creator. Of messages for several datagrams it refuses all.
#[test]
fn an_mtu_that_the_path_refuses_is_in_the_error_log() {
    let confined = std::thread::spawn(|| {
        fail_from(LONGEST + 1, libc::SYS_sendto, libc::EMSGSIZE);
        fail_from(0, libc::SYS_sendmsg, libc::EMSGSIZE);
        fail_from(0, libc::SYS_sendmmsg, libc::EMSGSIZE);
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.buffers.counter_values_length = ByteLength::new(1 << 20);
        config.process.transport = TransportName::Sockets;
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(Context::new().dir(driver.dir()).driver_timeout(PATIENCE)).unwrap();
        let to = format!("127.0.0.1:{}", ports::free_port().unwrap());
        let channel = format!("aeron:udp?endpoint={to}|mtu=8k");
        let _subscription = client.add_subscription(&channel, 1001).unwrap();
        let publication = client.add_publication(&channel, 1001).unwrap();
        let cnc = CncFile::open(driver.dir(), FileAccess::ReadOnly).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut said = None;
        while said.is_none() {
            assert!(Instant::now() < deadline, "nothing in the error log");
            // Refused while there is no receiver.
            let _ = publication.offer(&[7; 8_000]);
            std::thread::sleep(Duration::from_millis(1));
            let errors = cnc.errors();
            errors
                .for_each(EpochMillis::new(0), |entry| {
                    if entry.text.contains("8032") {
                        said = Some(entry.text.clone());
                    }
                })
                .unwrap();
        }
        let said = said.unwrap_or_default();
        assert!(said.contains(&to) && said.contains("set a smaller mtu on the channel"), "{said}");
        // An error is counted after it was recorded.
        let counters = client.counters();
        let is_counted = |counter: SystemCounter| counters.value(counter.id()) > Some(0);
        while !is_counted(SystemCounter::ShortSends) || !is_counted(SystemCounter::Errors) {
            assert!(Instant::now() < deadline, "it is not counted");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    confined.join().expect("the thread's own assertions");
}
