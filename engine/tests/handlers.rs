//! Tests, with a real driver, that handlers can call everything that their client offers. A call that waited for itself
//! would fail a test by its timeout.

use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gannet::{AddError, Client, ClientEvent, Context, ImageHandlers, Publication, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, ThreadingMode};

const PATIENCE: Duration = Duration::from_secs(180);
const CHANNEL: &str = "aeron:ipc?term-length=64k";

fn config(mode: ThreadingMode) -> DriverConfig {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    config.threads.mode = mode;
    config.buffers.counter_values_length = ByteLength::new(1 << 20);
    config.timeouts.client_liveness = Duration::from_secs(60);
    config.timeouts.publication_unblock = Duration::from_secs(70);
    config
}

fn launch() -> MediaDriver {
    MediaDriver::launch_embedded(config(ThreadingMode::Shared)).expect("a driver")
}

fn context(driver: &MediaDriver) -> Context {
    Context::new().dir(driver.dir()).driver_timeout(Duration::from_secs(60))
}

fn heard<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(PATIENCE).expect("the handler has run to its end")
}

/// Holds something that a handler uses and that is made after the handler.
type Later<T> = Arc<Mutex<Option<T>>>;

fn take<T>(from: &Later<T>) -> Option<T> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[test]
fn a_handler_adds_and_removes_and_publishes() {
    let driver = launch();
    let client: Later<Arc<Client>> = Later::default();
    let (told, added) = channel();
    let within = Arc::clone(&client);
    let handlers = ImageHandlers::new().available(move |image| {
        let Some(client) = within.lock().expect("a client").clone() else { return };
        let mut subscription = client.add_subscription("aeron:ipc", 2002).expect("a subscription");
        let publication = client.add_exclusive_publication(CHANNEL, 2002).expect("a publication");
        let counter = client.add_counter(1000, b"", "of a handler").expect("a counter");
        counter.set(image.session_id().get().into()).expect("it is open");
        // The image of the subscription added here arrives while this handler runs. Its own handler is called after
        // this one.
        while subscription.images().is_empty() {
            client.invoke();
        }
        client.next_session_id(2002).expect("a session id");
        assert!(publication.add_destination("aeron:udp?endpoint=127.0.0.1:1").is_err(), "it has none");
        drop(subscription);
        told.send((counter.get(), client.next_correlation_id())).expect("the test listens");
    });
    *client.lock().expect("a place") = Some(Arc::new(Client::connect(context(&driver)).expect("a client")));
    let connected = client.lock().expect("a place").clone().expect("a client");
    let _subscription = connected.add_subscription_with("aeron:ipc", 1001, handlers).expect("a subscription");
    let publication = connected.add_publication(CHANNEL, 1001).expect("a publication");
    assert_eq!(heard(&added).0, Ok(publication.session_id().get().into()));
    take(&client);
}

#[test]
fn a_handler_closes_its_own_client() {
    let driver = launch();
    let client: Later<Client> = Later::default();
    let (told, closed) = channel();
    let within = Arc::clone(&client);
    let context = context(&driver).on_available_image(move |_| drop(take(&within))).on_event(move |event| {
        if let ClientEvent::Closed = event {
            told.send(()).expect("the test listens");
        }
    });
    let connected = Client::connect(context).expect("a client");
    let mut subscription = connected.add_subscription("aeron:ipc", 1001).expect("a subscription");
    let mut pending = connected.async_add_publication(CHANNEL, 1001).expect("room in the ring");
    *client.lock().expect("a place") = Some(connected);
    // Whether or not the handler found the client: the handler is called again for the next image.
    let other = Client::connect(self::context(&driver)).expect("another client");
    let publication = other.add_exclusive_publication(CHANNEL, 1001).expect("a publication");
    heard(&closed);
    assert!(subscription.is_closed() && !publication.is_closed());
    assert_eq!(subscription.poll(|_| {}, 10), 0);
    let _ = pending.poll();
    drop((subscription, pending));
}

#[test]
fn a_handler_drops_the_subscription_that_it_is_called_for() {
    let driver = launch();
    let client = Client::connect(context(&driver)).expect("a client");
    let subscription: Later<Subscription> = Later::default();
    let (told, events) = channel();
    let (tell_gone, within) = (told.clone(), Arc::clone(&subscription));
    let handlers = ImageHandlers::new()
        .available(move |image| {
            while let Some(dropped) = take(&within) {
                drop(dropped);
            }
            told.send(("came", image.session_id())).expect("the test listens");
        })
        .unavailable(move |image| tell_gone.send(("went", image.session_id())).expect("the test listens"));
    let added = client.add_subscription_with("aeron:ipc", 1001, handlers).expect("a subscription");
    *subscription.lock().expect("a place") = Some(added);
    let publication = client.add_publication(CHANNEL, 1001).expect("a publication");
    let session_id = publication.session_id();
    assert_eq!([heard(&events), heard(&events)], [("came", session_id), ("went", session_id)]);
    assert!(take(&subscription).is_none());
}

/// A handler's panic leaves what it used as it was, so nobody is called again: neither that handler nor another one, on
/// whichever thread the client or a handle is dropped.
#[test]
fn after_a_panic_no_handler_is_called() {
    within_patience(|| {
        let driver = launch();
        let (told, calls) = channel();
        let (tell_gone, tell_event, tell_close) = (told.clone(), told.clone(), told);
        let context = context(&driver)
            .on_unavailable_image(move |_| {
                let _ = tell_gone.send("image");
            })
            .on_event(move |_| {
                let _ = tell_event.send("event");
            })
            .on_close(move || {
                let _ = tell_close.send("close");
            });
        let client = Client::connect(context.on_available_image(|_| panic!("on purpose"))).expect("a client");
        let subscription = client.add_subscription("aeron:ipc", 1001).expect("a subscription");
        let counter = client.add_counter(1000, b"", "of a client that panics").expect("a counter");
        let other = Client::connect(self::context(&driver)).expect("another client");
        let _publication = other.add_publication(CHANNEL, 1001).expect("a publication");
        // The client's own thread hears of the image.
        while !client.is_closed() {
            std::thread::yield_now();
        }
        drop((subscription, counter));
        client.invoke();
        drop(client);
        assert_eq!(calls.recv(), Err(RecvError), "and all handlers are gone");
    });
}

/// Handlers of a subscription that own a publication of the same client, and a weak reference that tells whether they
/// still exist.
fn owning(client: &Client) -> (ImageHandlers, Weak<Publication>) {
    let owned = Arc::new(client.add_publication(CHANNEL, 3003).expect("a publication"));
    let there = Arc::downgrade(&owned);
    (ImageHandlers::new().available(move |_| assert!(!owned.is_closed())), there)
}

/// Fails the test if it does not end by itself, since a call that waits for itself never ends.
fn within_patience(test: impl FnOnce() + Send + 'static) {
    let (tell, ended) = channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = tell.send(());
    });
    match ended.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("it waits for itself"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => thread.join().expect("what it asserts"),
    }
}

/// A handle locks its client when it is dropped, on whichever thread that is.
#[test]
fn what_handlers_own_goes_with_their_subscription() {
    within_patience(|| {
        let driver = launch();
        let client = Client::connect(context(&driver).use_conductor_invoker()).expect("a client");

        let (handlers, there) = owning(&client);
        drop(client.add_subscription_with("aeron:ipc", 1001, handlers).expect("a subscription"));
        assert!(there.upgrade().is_none(), "the subscription was dropped");

        let (handlers, there) = owning(&client);
        drop(client.async_add_subscription("aeron:ipc", 1001, handlers).expect("room in the ring"));
        assert!(there.upgrade().is_none(), "nobody waited for it");

        let (handlers, there) = owning(&client);
        let mut refused = client.async_add_subscription("no channel", 1001, handlers).expect("room in the ring");
        let error = loop {
            client.invoke();
            match refused.poll() {
                Ok(added) => assert!(added.is_none(), "it is refused"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AddError::Refused { .. }) && there.upgrade().is_none(), "{error}");

        let (handlers, there) = owning(&client);
        let endless = format!("aeron:ipc?alias={}", "a".repeat(1 << 20));
        let error = client.async_add_subscription(&endless, 1001, handlers).expect_err("no ring has room for it");
        assert!(matches!(error, AddError::TooLong { .. }) && there.upgrade().is_none(), "{error}");
    });
}

/// The resources that handlers own would keep the client's memory mapped, which in turn would keep the handlers.
#[test]
fn a_closed_client_lets_go_of_what_its_handlers_own() {
    within_patience(|| {
        let driver = launch();
        let owned: Later<Arc<Publication>> = Later::default();
        let (told, closed) = channel();
        let (of_client, within) = (Arc::downgrade(&owned), owned);
        let context = context(&driver).on_available_image(move |_| drop(take(&within)));
        let client = Client::connect(context.on_close(move || told.send(()).expect("the test listens")));
        let client = client.expect("a client");
        let publication = Arc::new(client.add_publication(CHANNEL, 2002).expect("a publication"));
        let there = Arc::downgrade(&publication);
        *of_client.upgrade().expect("its handler has it").lock().expect("a place") = Some(publication);
        let (handlers, of_subscription) = owning(&client);
        let subscription = client.add_subscription_with("aeron:ipc", 1001, handlers).expect("a subscription");
        drop(client);
        heard(&closed);
        assert!(subscription.is_closed());
        assert!(there.upgrade().is_none() && of_client.upgrade().is_none());
        assert!(of_subscription.upgrade().is_none());
    });
}

#[test]
fn a_fragment_s_handler_closes_everything_else() {
    let driver = launch();
    let client = Client::connect(context(&driver)).expect("a client");
    let mut subscription = client.add_subscription("aeron:ipc", 1001).expect("a subscription");
    let publication = client.add_publication(CHANNEL, 1001).expect("a publication");
    for message in [b"one", b"two"] {
        while publication.offer(message).is_err() {
            std::thread::yield_now();
        }
    }
    let mut others: Option<(Client, Publication)> = Some((client, publication));
    let mut messages = Vec::new();
    while messages.is_empty() {
        subscription.poll(
            |fragment| {
                drop(others.take());
                messages.push(fragment.payload().to_vec());
            },
            10,
        );
    }
    assert_eq!(messages[0], b"one");
    assert!(subscription.is_closed());
    assert_eq!(subscription.poll(|_| panic!("nothing comes any more"), 10), 0);
}

/// One thread is driver and client: every call that waits runs the driver.
#[test]
fn who_waits_runs_the_driver_that_nobody_else_runs() {
    let driver = Arc::new(Mutex::new(MediaDriver::launch_embedded(config(ThreadingMode::Invoker)).expect("a driver")));
    let context = context(&driver.lock().expect("a driver")).use_conductor_invoker();
    let invoked = Arc::clone(&driver);
    let context = context.driver_invoker(move || invoked.lock().expect("a driver").invoke());
    let client = Client::connect(context).expect("a client");
    let mut subscription = client.add_subscription("aeron:udp?control-mode=manual", 1001).expect("a subscription");
    subscription.add_destination("aeron:ipc").expect("a destination");
    let publication = client.add_publication(CHANNEL, 1001).expect("a publication");
    client.next_session_id(1001).expect("a session id");
    while publication.offer(b"one").is_err() {
        // Nothing else moves the limit.
        subscription.poll_wait(|_| {}, 1, Duration::from_millis(1));
    }
    let mut messages = Vec::new();
    while messages.is_empty() {
        subscription.poll_wait(|fragment| messages.push(fragment.payload().to_vec()), 10, PATIENCE);
    }
    assert_eq!(messages, [b"one"]);
    let image = subscription.images()[0].info();
    subscription.reject_image(&image, "enough").expect("a rejection");
    while !image.is_closed() {
        client.invoke();
        driver.lock().expect("a driver").invoke();
    }
    drop((subscription, publication, client));
}
