//! A driver embedded in its client's process, in every threading mode: messages go through, and nothing is left behind.
#![expect(clippy::disallowed_methods, reason = "waits for a driver, with a deadline")]

use std::path::Path;
use std::time::{Duration, Instant};

use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use gannet::time::EpochMillis;
use gannet::types::TermLength;
use gannet::{Client, Context, Counter, ImageHandlers, OfferError, Pending, Publication, Subscription};
use gannet_driver::config::{ByteLength, Cpu, DriverConfig, Profile, ThreadingMode};
use gannet_driver::{LaunchError, MediaDriver, StopReason};

const PATIENCE: Duration = Duration::from_secs(180);
const MESSAGES: u32 = 1_000;

/// Thrifty with memory and CPU, and patient with clients that a busy machine does not run for a while.
fn config(mode: ThreadingMode) -> DriverConfig {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    config.threads.mode = mode;
    config.buffers.counter_values_length = ByteLength::new(1 << 20);
    config.terms.ipc_term_length = TermLength::MIN;
    config.timeouts.client_liveness = Duration::from_secs(60);
    config.timeouts.publication_unblock = Duration::from_secs(70);
    config
}

/// As patient with the driver.
fn context(dir: &Path) -> Context {
    Context::new().dir(dir).driver_timeout(Duration::from_secs(60))
}

/// Sends numbers through a stream, calling `idle` whenever either end has to wait. More than the log holds, so that the
/// driver must move the limit and clean.
fn exchange(publication: &Publication, subscription: &mut Subscription, mut idle: impl FnMut()) {
    let deadline = Instant::now() + PATIENCE;
    let (mut sent, mut received) = (0, 0);
    let message = |number: u32| [number.to_le_bytes(); 128];
    while received < MESSAGES {
        assert!(Instant::now() < deadline, "{sent} sent, {received} received");
        if sent < MESSAGES {
            match publication.offer(message(sent).as_flattened()) {
                Ok(_) => sent += 1,
                Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::AdminAction) => idle(),
                Err(error) => panic!("{error}"),
            }
        }
        let polled = subscription.poll(
            |fragment| {
                assert_eq!(fragment.payload(), message(received).as_flattened());
                received += 1;
            },
            10,
        );
        if polled == 0 {
            idle();
        }
    }
}

/// Whoever does not want file systems looked at is not told of them either, as with the reference.
#[test]
fn little_room_is_warned_about_unless_storage_is_not_to_be_checked() {
    for checked in [true, false] {
        let mut config = config(ThreadingMode::Shared);
        config.directory.perform_storage_checks = checked;
        config.directory.low_file_store_warning_threshold = ByteLength::new(i64::MAX as u64);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(context(driver.dir())).unwrap();
        client.add_publication("aeron:ipc", 1001).unwrap();
        // The driver answers before it warns, but warns before it answers again.
        client.add_subscription("aeron:ipc", 1001).unwrap();
        let cnc = CncFile::open(driver.dir(), FileAccess::ReadOnly).unwrap();
        let mut warnings = Vec::new();
        cnc.errors().for_each(EpochMillis::new(0), |entry| warnings.push(entry.text.clone())).unwrap();
        assert_eq!(warnings.len(), usize::from(checked), "{warnings:?}");
    }
}

#[test]
fn messages_go_through_in_every_mode_with_threads() {
    for mode in [ThreadingMode::Dedicated, ThreadingMode::SharedNetwork, ThreadingMode::Shared] {
        let driver = MediaDriver::launch_embedded(config(mode)).unwrap();
        let dir = driver.dir().to_owned();
        let client = Client::connect(context(&dir)).unwrap();
        let publication = client.add_publication("aeron:ipc", 1001).unwrap();
        let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
        exchange(&publication, &mut subscription, || std::thread::sleep(Duration::from_micros(100)));
        driver.close().unwrap();
        assert!(!dir.exists(), "{mode}");
    }
}

#[test]
fn one_thread_can_be_driver_publisher_and_subscriber() {
    let mut driver = MediaDriver::launch_embedded(config(ThreadingMode::Invoker)).unwrap();
    let dir = driver.dir().to_owned();
    let client = Client::connect(context(&dir).use_conductor_invoker()).unwrap();
    let mut publication: Pending<Publication> = client.async_add_publication("aeron:ipc", 1001).unwrap();
    let mut subscription = client.async_add_subscription("aeron:ipc", 1001, ImageHandlers::new()).unwrap();
    let (mut added_publication, mut added_subscription) = (None, None);
    let deadline = Instant::now() + PATIENCE;
    while added_publication.is_none() || added_subscription.is_none() {
        assert!(Instant::now() < deadline, "not added");
        driver.invoke();
        client.invoke();
        if added_publication.is_none() {
            added_publication = publication.poll().unwrap();
        }
        if added_subscription.is_none() {
            added_subscription = subscription.poll().unwrap();
        }
    }
    let (publication, mut subscription) = (added_publication.unwrap(), added_subscription.unwrap());
    exchange(&publication, &mut subscription, || {
        driver.invoke();
        client.invoke();
    });
    drop((publication, subscription, client));
    drop(driver);
    assert!(!dir.exists());
}

/// Runs driver and client until what was asked for is there.
fn added(pending: &mut Pending<Counter>, driver: &mut MediaDriver, client: &Client) -> Counter {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "not added");
        driver.invoke();
        client.invoke();
        if let Some(added) = pending.poll().unwrap() {
            return added;
        }
    }
}

#[test]
fn counters_are_added_without_waiting() {
    const TYPE_ID: i32 = 1_234;
    let mut driver = MediaDriver::launch_embedded(config(ThreadingMode::Invoker)).unwrap();
    let client = Client::connect(context(driver.dir()).use_conductor_invoker()).unwrap();
    let mut pending = client.async_add_counter(TYPE_ID, b"key", "mine").unwrap();
    let mine = added(&mut pending, &mut driver, &client);
    mine.set(7).unwrap();
    let found = client.counters().get(mine.id()).unwrap();
    assert_eq!((found.type_id, found.value, found.owner_id), (TYPE_ID, 7, client.client_id()));
    assert_eq!((&found.key.as_bytes()[..3], found.label.as_bytes()), (&b"key"[..], &b"mine"[..]));

    // A static one is found again by its type and registration, and is nobody's.
    let mut pending = client.async_add_static_counter(TYPE_ID, 99, b"", "everybody's").unwrap();
    let first = added(&mut pending, &mut driver, &client);
    let mut pending = client.async_add_static_counter(TYPE_ID, 99, b"", "called otherwise").unwrap();
    let again = added(&mut pending, &mut driver, &client);
    assert!(first.id() == again.id() && first.id() != mine.id());
    let found = client.counters().get(first.id()).unwrap();
    assert_eq!((found.registration_id.get(), found.label.as_bytes()), (99, &b"everybody's"[..]));
}

#[test]
fn who_waits_for_an_invoked_driver_runs_it() {
    let mut driver = MediaDriver::launch_embedded(config(ThreadingMode::Invoker)).unwrap();
    let (dir, stop) = (driver.dir().to_owned(), driver.stop_handle());
    let thread = std::thread::spawn(move || {
        assert_eq!(driver.wait(), StopReason::Requested);
        driver.close().unwrap();
    });
    let client = Client::connect(context(&dir)).unwrap();
    client.add_publication("aeron:ipc", 1001).unwrap();
    stop.stop();
    thread.join().unwrap();
    assert!(!dir.exists());
}

#[test]
fn drivers_of_one_process_do_not_meet() {
    let drivers: Vec<_> =
        (0..3).map(|_| MediaDriver::launch_embedded(config(ThreadingMode::Invoker)).unwrap()).collect();
    for (index, driver) in drivers.iter().enumerate() {
        assert!(drivers[..index].iter().all(|other| other.dir() != driver.dir()));
    }
    let mut config = config(ThreadingMode::Invoker);
    config.directory.dir = Some(drivers[0].dir().to_owned());
    let error = MediaDriver::launch(config).unwrap_err();
    assert!(matches!(error, LaunchError::Directory(_)), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_made() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("driver");
    let refused = |change: fn(&mut DriverConfig)| {
        let mut config = config(ThreadingMode::Shared);
        config.directory.dir = Some(dir.clone());
        change(&mut config);
        let error = MediaDriver::launch(config).unwrap_err();
        assert!(!dir.exists(), "{error}");
        error
    };
    assert!(matches!(refused(|config| config.threads.conductor_cpu = Cpu::Number(1000)), LaunchError::Affinity(_)));
    assert!(matches!(
        refused(|config| config.timeouts.timer_interval = Duration::from_secs(3600)),
        LaunchError::Config(_)
    ));
    assert!(matches!(refused(|config| config.threads.shared_idle_args = "often".into()), LaunchError::Config(_)));
}

#[test]
fn a_handler_that_panics_closes_its_client_and_nothing_else() {
    let driver = MediaDriver::launch_embedded(config(ThreadingMode::Shared)).unwrap();
    let panicking = context(driver.dir()).on_available_image(|_| panic!("a handler of this test panics"));
    let client = Client::connect(panicking).unwrap();
    let pending = client.async_add_subscription("aeron:ipc", 1001, ImageHandlers::new()).unwrap();
    let other = Client::connect(context(driver.dir())).unwrap();
    let publication = other.add_publication("aeron:ipc", 1001).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !client.is_closed() {
        assert!(Instant::now() < deadline, "still open");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(client.add_publication("aeron:ipc", 1001).is_err());
    drop((pending, client));
    assert!(!publication.is_closed());
}
