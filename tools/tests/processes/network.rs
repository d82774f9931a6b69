//! The commands that show what a driver's streams on the network are doing.

use std::net::UdpSocket;

use crate::support::{Driver, eventually};

/// A channel on a port that nobody had a moment ago.
fn channel() -> String {
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback").port();
    format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=64k")
}

#[test]
fn losses_are_listed_with_where_they_came_from() {
    // One datagram in five is lost on purpose, and asked for again.
    let driver = Driver::start_with(&[("GANNET_LOSS_DROP_PPM", "200000")]);
    let text = String::from_utf8(driver.gannet(&["loss"]).end().success()).expect("text");
    assert!(text.ends_with("nothing was lost\n"), "{text}");
    assert!(text.contains("+loss-on-purpose"), "the driver's transport: {text}");

    let channel = channel();
    let subscriber = driver.gannet(&["sub", "--channel", &channel, "--stream", "7"]);
    let lines = driver.path().with_file_name("lines");
    std::fs::write(&lines, "one line and then another\n".repeat(100)).expect("there is room");
    let lines = lines.to_str().expect("a plain path");
    let publisher = driver.gannet(&[
        "pub",
        "--channel",
        &channel,
        "--stream",
        "7",
        "--wait",
        "170s",
        "--file",
        lines,
        "--loop",
        "forever",
    ]);
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
