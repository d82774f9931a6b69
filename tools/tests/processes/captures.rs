//! Sends the exchange's captures through a driver process, from one publishing process to two subscribing ones, and
//! compares them byte for byte.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{CHANNEL, Driver, raw};

/// The captures, if the data is beside the repository. A test without them reports that it was skipped.
fn captures(test: &str) -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/captures");
    let mut paths = Vec::new();
    for version in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let files = std::fs::read_dir(version.path()).into_iter().flatten().flatten();
        paths.extend(files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|name| name == "pcap")));
    }
    paths.sort();
    if paths.is_empty() {
        crate::skip::report(test, &format!("no captures in {}", folder.display()));
        return None;
    }
    Some(paths)
}

/// The UDP payloads of a capture, read without the reader under test: these files are little-endian pcap, with
/// Ethernet, and IPv4 without options.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    const HEADERS: usize = 14 + 20 + 8;
    let file = std::fs::read(path).expect("the capture can be read");
    let mut rest = &file[FILE_HEADER..];
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().expect("four bytes")) as usize;
        let (packet, after) = rest[RECORD_HEADER..].split_at(length);
        assert_eq!(
            (&packet[12..14], packet[14], packet[23]),
            (&[8, 0][..], 0x45, 17),
            "IPv4 without options, then UDP"
        );
        let udp_length = usize::from(u16::from_be_bytes([packet[38], packet[39]]));
        payloads.push(packet[HEADERS..HEADERS + udp_length - 8].to_vec());
        rest = after;
    }
    payloads
}

#[test]
fn captures_reach_two_subscribers_byte_for_byte() {
    let Some(paths) = captures("captures_reach_two_subscribers_byte_for_byte") else { return };
    let messages: Vec<_> = paths.iter().flat_map(|path| payloads(path)).collect();
    assert!(messages.len() >= paths.len(), "no capture is empty");
    let expected = raw(messages.iter().map(Vec::as_slice));

    let driver = Driver::start();
    let subscribe =
        || driver.gannet(&["sub", "--channel", CHANNEL, "--format", "raw", "--until-end", "--timeout", "170s"]);
    let subscribers = [subscribe(), subscribe()];
    let mut arguments =
        vec!["pub", "--json", "--subscribers", "2", "--wait", "170s", "--channel", CHANNEL, "--capture"];
    arguments.extend(paths.iter().map(|path| path.to_str().expect("a plain path")));
    let summary = driver.gannet(&arguments).end().json();
    assert_eq!(summary[0]["published"], messages.len());
    assert_eq!(summary[0]["passed_over"], 0);
    for subscriber in subscribers {
        assert!(subscriber.end().success() == expected, "a subscriber got other bytes than the captures have");
    }
}

#[test]
fn captures_in_a_loop_and_at_a_rate_come_in_the_same_order_each_time() {
    let Some(paths) = captures("captures_in_a_loop_and_at_a_rate_come_in_the_same_order_each_time") else { return };
    let once: Vec<_> = paths.iter().flat_map(|path| payloads(path)).collect();
    let expected = raw((0..30).flat_map(|_| once.iter().map(Vec::as_slice)));

    let driver = Driver::start();
    let subscriber =
        driver.gannet(&["sub", "--channel", CHANNEL, "--format", "raw", "--until-end", "--timeout", "170s"]);
    let mut arguments = vec!["pub", "--exclusive", "--loop", "30", "--rate", "5000", "--wait", "170s"];
    arguments.extend(["--channel", CHANNEL, "--capture"]);
    arguments.extend(paths.iter().map(|path| path.to_str().expect("a plain path")));
    let start = Instant::now();
    driver.gannet(&arguments).end().success();
    // No message is sent before its time. How long after depends on the machine.
    let due = Duration::from_secs_f64((30 * once.len() - 1) as f64 / 5000.0);
    assert!(start.elapsed() >= due, "{} messages took {:?}", 30 * once.len(), start.elapsed());
    assert!(subscriber.end().success() == expected, "the subscriber got other bytes than the captures have");
}
