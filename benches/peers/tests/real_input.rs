//! Sends captured market data through the programs and compares it byte for byte: `gannet pub` in one process, two
//! subscribers in others, under a driver of either kind. Both subscribers are ours, or one is Aeron's.

#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;

use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::process::{Process, gannet_program, program};
use gannet_peers::records::Format;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(180);
const STREAM: &str = "1310";
/// Each capture is short, so it is published repeatedly.
const LOOPS: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscriber {
    Gannet,
    Aeron,
}

#[test]
fn captures_reach_two_of_our_subscribers() {
    captures_reach(DriverKind::Gannet, [Subscriber::Gannet, Subscriber::Gannet]);
}

#[test]
fn captures_reach_one_of_our_subscribers_and_one_of_aerons() {
    captures_reach(DriverKind::Gannet, [Subscriber::Gannet, Subscriber::Aeron]);
}

#[test]
fn captures_go_through_aerons_driver_too() {
    captures_reach(DriverKind::Aeron, [Subscriber::Gannet, Subscriber::Aeron]);
}

fn captures_reach(driver: DriverKind, subscribers: [Subscriber; 2]) {
    let Some(captures) = captures() else {
        return skip::report("captures", "../shared/data, the folder of real captures, is not beside the repository");
    };
    let dir = AeronDir::unique("captures");
    let driver = DriverProcess::start(driver, dir.path(), &DriverOptions::patient()).unwrap();
    let subscribers = subscribers.map(|subscriber| start(subscriber, dir.path()));
    for (round, capture) in captures.iter().enumerate() {
        let messages = datagrams(capture);
        assert!(!messages.is_empty(), "{} holds no message", capture.display());
        let mut expected = Vec::new();
        for message in &messages {
            Format::HexLines.write(&mut expected, message).unwrap();
        }
        let expected = String::from_utf8(expected).unwrap();

        let mut arguments = on_stream("pub", dir.path());
        arguments.extend(["--subscribers", "2", "--loop", &LOOPS.to_string(), "--capture"].map(String::from));
        arguments.push(capture.to_string_lossy().into_owned());
        // Both kinds of publication are used in turn.
        arguments.extend((round % 2 == 1).then(|| "--exclusive".to_owned()));
        let mut publisher = start_gannet(arguments);
        // Everything is read before the next publisher starts, since two streams at once would be read alternately.
        for subscriber in &subscribers {
            for pass in 0..LOOPS {
                for expected in expected.lines() {
                    let line = subscriber.next_line(PATIENCE).unwrap();
                    assert_eq!(line, expected, "{}, pass {pass}", capture.display());
                }
            }
        }
        assert!(publisher.wait(PATIENCE).unwrap().success(), "{}", publisher.errors());
    }
    for mut subscriber in subscribers {
        subscriber.kill().unwrap();
        assert!(subscriber.remaining_lines().is_empty(), "nothing but the captures arrived");
    }
    assert!(driver.stop().unwrap().success());
}

/// Starts `gannet` with a long driver timeout, since a busy machine may not run the driver for a while.
fn start_gannet(arguments: Vec<String>) -> Process {
    let mut command = Command::new(gannet_program("gannet"));
    command.args(arguments).env("AERON_DRIVER_TIMEOUT", "60000");
    Process::start_command(command).unwrap()
}

fn on_stream(command: &str, dir: &Path) -> Vec<String> {
    let dir = dir.to_string_lossy();
    [command, "--dir", &dir, "--channel", "aeron:ipc?term-length=64k", "--stream", STREAM].map(String::from).into()
}

fn start(subscriber: Subscriber, dir: &Path) -> Process {
    match subscriber {
        Subscriber::Gannet => {
            let mut arguments = on_stream("sub", dir);
            arguments.extend(["--format", "hex"].map(String::from));
            start_gannet(arguments)
        }
        Subscriber::Aeron => {
            let mut arguments = on_stream("", dir).split_off(1);
            // By default it ends with the first publisher.
            arguments.extend(["--keep-going", "yes"].map(String::from));
            Process::start(program("peer-sub"), arguments).unwrap()
        }
    }
}

/// All captures, sorted by path. `None` if the folder does not exist.
fn captures() -> Option<Vec<PathBuf>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/captures");
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .ok()?
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    found.sort();
    (!found.is_empty()).then_some(found)
}

/// The UDP payloads of a capture: classic pcap, Ethernet, IPv4 without fragments. This code shares nothing with the
/// command under test.
fn datagrams(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let little = bytes[..4] == 0xa1b2_c3d4_u32.to_le_bytes() || bytes[..4] == 0xa1b2_3c4d_u32.to_le_bytes();
    let word = |at: usize| {
        let word = bytes[at..at + 4].try_into().unwrap();
        (if little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) }) as usize
    };
    assert_eq!(word(20), 1, "{}: Ethernet", path.display());
    let mut found = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let captured = word(at + 8);
        let packet = &bytes[at + 16..at + 16 + captured];
        at += 16 + captured;
        let ip = match &packet[12..14] {
            [0x08, 0x00] => &packet[14..],
            [0x81, 0x00] => &packet[18..],
            other => panic!("{}: ethertype {other:02x?}", path.display()),
        };
        assert_eq!((ip[0] >> 4, ip[9]), (4, 17), "{}: UDP over IPv4", path.display());
        let udp = &ip[usize::from(ip[0] & 0xf) * 4..];
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        found.push(udp[8..length].to_vec());
    }
    found
}
