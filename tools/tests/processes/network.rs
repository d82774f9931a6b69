//! The commands that show a driver's streams on the network.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::ports::free_port;
use crate::support::{Driver, eventually};

fn channel() -> String {
    format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port().expect("a port"))
}

#[test]
fn losses_are_listed_with_where_they_came_from() {
    // One datagram in five is lost on purpose, and requested again.
    let driver = Driver::start_with(&[("GANNET_LOSS_DROP_PPM", "200000")]);
    let text = String::from_utf8(driver.gannet(&["loss"]).end().success()).expect("text");
    assert!(text.ends_with("nothing was lost\n"), "{text}");
    assert!(text.contains("+loss-on-purpose"), "the driver's transport: {text}");

    let text = String::from_utf8(driver.gannet(&["stat"]).end().success()).expect("text");
    assert!(text.lines().any(|line| line.contains("+loss-on-purpose")), "the driver's transport: {text}");

    let channel = channel();
    let subscriber = driver.gannet(&["sub", "--channel", &channel, "--stream", "7"]);
    let publisher = driver.publish_forever(&["--channel", &channel, "--stream", "7"]);
    let losses = eventually("something is lost", || {
        let losses = driver.gannet(&["loss", "--json", "--stream", "7"]).end().json();
        (!losses.is_empty()).then_some(losses)
    });
    assert_eq!((losses.len(), &losses[0]["stream_id"]), (1, &7.into()), "{losses:?}");
    assert!(losses[0]["count"].as_i64() >= Some(1) && losses[0]["bytes_lost"].as_i64() >= Some(32), "{losses:?}");
    let (first, last) = (losses[0]["first_ms"].as_i64(), losses[0]["last_ms"].as_i64());
    assert!(first > Some(1_600_000_000_000) && last >= first, "{losses:?}");
    let source = losses[0]["source"].as_str().expect("text");
    assert!(source.starts_with("127.0.0.1:") && losses[0]["channel"] == channel.as_str(), "{losses:?}");
    let text = String::from_utf8(driver.gannet(&["loss", "--stream", "7"]).end().success()).expect("text");
    assert!(text.contains(&format!("{channel}, from {source}")) && text.contains(" bytes; "), "{text}");
    assert!(driver.gannet(&["loss", "--json", "--stream", "8"]).end().json().is_empty());
    drop((publisher, subscriber));
}

#[test]
fn why_names_the_receiver_that_takes_no_more() {
    let driver = Driver::start();
    let channel = channel();
    let subscriber = driver.gannet(&["sub", "--channel", &channel, "--until-end"]);
    let publisher = driver.publish_forever(&["--channel", &channel]);
    eventually("the subscriber reads", || {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let image = streams.into_iter().find(|line| line["kind"] == "image")?;
        (image["subscribers"][0]["position"].as_i64() > Some(0)).then_some(())
    });
    subscriber.signal(Signal::STOP);
    let endpoint = channel.strip_prefix("aeron:udp?endpoint=").and_then(|rest| rest.split('|').next()).expect("one");
    let finding = eventually("the publication is held by its receiver", || {
        let findings = driver.gannet(&["why", "--json", "--for", "200ms"]).end().json();
        findings.into_iter().find(|line| line["state"] == "held" && line["holder"]["kind"] == "receivers")
    });
    assert_eq!(finding["holder"]["address"], endpoint, "{finding}");
    assert!(finding["holder"]["stops"].as_i64() >= Some(1), "{finding}");
    eventually("the same is told in words", || {
        let text = String::from_utf8(driver.gannet(&["why", "--for", "100ms"]).end().success()).expect("text");
        text.contains(&format!("held by the window of the receiver at {endpoint}")).then_some(())
    });
    let text = String::from_utf8(driver.gannet(&["streams"]).end().success()).expect("text");
    assert!(text.contains(&format!("paced by the receiver at {endpoint}; stopped by a receiver's window ")), "{text}");
    subscriber.signal(Signal::CONT);
    drop((publisher, subscriber));
}

/// For a group, the command shows which receiver holds the others up, and since when.
#[test]
fn why_names_the_receiver_of_a_group_that_holds_up_the_others() {
    // Long timeouts: a stopped subscriber, or a driver that is not run for long, does not time out.
    let driver = Driver::start_with(&[
        ("AERON_CLIENT_LIVENESS_TIMEOUT", "600s"),
        ("AERON_PUBLICATION_UNBLOCK_TIMEOUT", "700s"),
        ("AERON_IMAGE_LIVENESS_TIMEOUT", "600s"),
        ("AERON_PUBLICATION_CONNECTION_TIMEOUT", "600s"),
    ]);
    let port = || free_port().expect("a port");
    let control = port();
    let places = [port(), port()].map(|port| format!("127.0.0.1:{port}"));
    let subscribers = places.each_ref().map(|place| {
        let channel = format!("aeron:udp?endpoint={place}|control=127.0.0.1:{control}");
        driver.gannet(&["sub", "--channel", &channel, "--until-end"])
    });
    let channel =
        format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min,g:/2,t:600s|term-length=64k");
    let publisher = driver.publish_forever(&["--channel", &channel]);
    eventually("both subscribers read", || {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let images = streams.iter().filter(|line| line["kind"] == "image");
        (images.filter(|image| image["subscribers"][0]["position"].as_i64() > Some(0)).count() == 2).then_some(())
    });
    for (subscriber, place) in subscribers.iter().zip(&places) {
        let before_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        subscriber.signal(Signal::STOP);
        let finding = eventually("the stopped one holds the publication", || {
            let findings = driver.gannet(&["why", "--json", "--for", "200ms"]).end().json();
            findings.into_iter().find(|line| line["state"] == "held" && line["holder"]["address"] == place.as_str())
        });
        assert_eq!(finding["holder"]["receivers"], 2, "{finding}");
        assert!(finding["holder"]["receiver_id"].is_i64(), "{finding}");
        // It may have been the slower of two for a while.
        assert!(finding["holder"]["since_ms"].as_i64() > Some(before_ms - 60_000), "{finding}");
        eventually("the same is told in words", || {
            let text = String::from_utf8(driver.gannet(&["why", "--for", "100ms"]).end().success()).expect("text");
            text.contains(&format!("held by the window of the receiver at {place}, one of 2, for ")).then_some(())
        });
        let text = String::from_utf8(driver.gannet(&["streams"]).end().success()).expect("text");
        assert!(text.contains(&format!("held by the window of the receiver at {place} for ")), "{text}");
        subscriber.signal(Signal::CONT);
    }
    drop((publisher, subscribers));
}
