//! Tests that the programs of this package, and the C driver inside a process, behave as documented.

use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::client::{Action, Client, ClientOptions, ControlledFragmentAssembler};
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess, DriverSettings, EmbeddedDriver, ThreadingMode};
use gannet_peers::process::{Process, program};
use gannet_peers::records::Format;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
const CHANNEL: &str = "aeron:ipc?term-length=64k";

#[test]
fn messages_go_from_program_to_program() {
    let dir = AeronDir::unique("programs");
    let driver = DriverProcess::start(DriverKind::Aeron, dir.path(), &DriverOptions::patient()).unwrap();
    let on_stream = |extra: &[&str]| {
        let mut arguments = vec!["--dir".into(), dir.path().to_string_lossy().into_owned()];
        arguments.extend(["--channel", CHANNEL, "--stream", "7"].map(String::from));
        arguments.extend(extra.iter().map(ToString::to_string));
        arguments
    };
    let messages: Vec<Vec<u8>> = (0..2000).map(|number| vec![number as u8; number % 3000]).collect();
    for kind in ["concurrent", "exclusive"] {
        let mut subscriber = Process::start(program("peer-sub"), on_stream(&[])).unwrap();
        let mut publisher = Process::start(program("peer-pub"), on_stream(&["--kind", kind])).unwrap();
        let mut lines = Vec::new();
        for message in &messages {
            Format::HexLines.write(&mut lines, message).unwrap();
        }
        publisher.stdin().unwrap().write_all(&lines).unwrap();
        publisher.close_stdin();
        let done = publisher.next_line(PATIENCE).unwrap();
        assert!(done.starts_with("done 2000 "), "{done}");
        assert!(publisher.wait(PATIENCE).unwrap().success());
        // The subscriber ends by itself, since the only publisher is gone.
        let received: Vec<u8> = messages
            .iter()
            .flat_map(|_| {
                let mut line = subscriber.next_line(PATIENCE).unwrap().into_bytes();
                line.push(b'\n');
                line
            })
            .collect();
        assert!(received == lines, "{kind}: what arrived differs from what was sent");
        assert!(subscriber.wait(PATIENCE).unwrap().success(), "{}", subscriber.errors());
        assert!(subscriber.remaining_lines().is_empty());
    }
    assert!(driver.stop().unwrap().success());
}

#[test]
fn a_second_driver_leaves_the_first_ones_directory_alone() {
    let dir = AeronDir::unique("programs");
    let first = DriverProcess::start(DriverKind::Aeron, dir.path(), &DriverOptions::patient()).unwrap();
    let mut arguments = vec!["--dir".into(), dir.path().as_os_str().to_owned()];
    // A long timeout, for when a busy machine does not run the first driver for a while.
    arguments.push("-Daeron.driver.timeout=180000".into());
    let mut second = Process::start(program("peer-driver"), arguments).unwrap();
    assert_eq!(second.wait(PATIENCE).unwrap().code(), Some(1));
    let errors = second.errors();
    assert!(errors.contains("Active media driver detected"), "{errors}");
    let options = ClientOptions { driver_timeout: Some(PATIENCE), ..Default::default() };
    Client::connect_with(dir.path(), &options).expect("the first driver still serves");
    assert!(first.stop().unwrap().success());
    assert!(dir.path().join("cnc.dat").is_file(), "a driver leaves its files behind");
}

#[test]
fn a_driver_ends_with_the_process_that_started_it() {
    let dir = AeronDir::unique("programs");
    let mut driver = DriverProcess::start(DriverKind::Aeron, dir.path(), &DriverOptions::patient()).unwrap();
    driver.process().close_stdin();
    assert!(driver.process().wait(PATIENCE).unwrap().success());
}

#[test]
fn a_driver_and_its_clients_may_be_run_by_their_owner() {
    let dir = AeronDir::unique("programs");
    let settings = DriverSettings {
        dir: Some(dir.path().to_owned()),
        threading_mode: Some(ThreadingMode::Invoker),
        ipc_term_length: Some(128 * 1024),
        network: None,
    };
    let mut driver = EmbeddedDriver::start(&settings).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                if driver.do_work() == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        let client = Client::connect_with(
            dir.path(),
            &ClientOptions { invoked: true, driver_timeout: Some(PATIENCE), ..Default::default() },
        )
        .unwrap();
        let subscription = client.add_subscription("aeron:ipc", 7).unwrap();
        let publication = client.add_exclusive_publication("aeron:ipc", 7).unwrap();
        assert_eq!(publication.facts().term_length, 128 * 1024);
        let deadline = Instant::now() + PATIENCE;
        while !(subscription.is_connected() && publication.is_connected() && publication.position_limit().unwrap() > 0)
        {
            client.service().unwrap();
            assert!(Instant::now() < deadline);
        }
        publication.offer_with_reserved_value(&[7; 5000], 99).unwrap();
        let mut assembler = ControlledFragmentAssembler::new().unwrap();
        let mut tries = 0;
        let mut received = Vec::new();
        while received.is_empty() {
            assert!(Instant::now() < deadline);
            assembler.poll(
                &subscription,
                |message| {
                    tries += 1;
                    if tries == 1 {
                        return Action::Abort;
                    }
                    assert_eq!(message.reserved_value(), 99);
                    received = message.payload().to_vec();
                    Action::Continue
                },
                10,
            );
        }
        assert_eq!((tries, received.as_slice()), (2, [7; 5000].as_slice()));
        drop((publication, subscription, client));
        done.store(true, Ordering::Release);
    });
}
