//! The commands that show the state of a driver.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use gannet::Client;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{CHANNEL, Driver, Process, eventually, gannet};

#[test]
fn counters_have_ids_labels_values_and_their_streams() {
    let driver = Driver::start();
    let subscriber = driver.gannet(&["sub", "--channel", CHANNEL, "--stream", "7", "--count", "1"]);
    let publisher =
        driver.gannet(&["pub", "--channel", CHANNEL, "--stream", "7", "--wait", "170s", "--subscribers", "2"]);
    let limits = eventually("the publication has a limit", || {
        let lines = driver.gannet(&["stat", "--json", "--type", "1", "--stream", "7"]).end().json();
        lines.iter().any(|line| line["value"].as_i64() > Some(0)).then_some(lines)
    });
    assert_eq!(limits.len(), 1);
    assert_eq!(limits[0]["value"], 32 * 1024, "the window of an empty stream");
    assert_eq!(limits[0]["channel"], CHANNEL);
    assert_eq!(limits[0]["stream_id"], 7);
    let registration_id = &limits[0]["registration_id"];
    assert!(limits[0]["label"].as_str().expect("text").starts_with(&format!("pub-lmt: {registration_id} ")));

    let all = driver.gannet(&["stat", "--json"]).end().json();
    for (id, line) in all.iter().enumerate().take(46) {
        assert_eq!((&line["id"], &line["type_id"]), (&Value::from(id), &Value::from(0)), "system counters come first");
    }

    // A client adds its name to the label of its heartbeat some time after its streams exist.
    let streams = eventually("both clients have said their names", || {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let [stream] = streams.as_slice() else { panic!("one publication, not {streams:?}") };
        (stream["client_name"].is_string() && stream["subscribers"][0]["client_name"].is_string()).then_some(streams)
    });
    assert_eq!(streams[0]["kind"], "publication");
    assert_eq!(&streams[0]["registration_id"], registration_id);
    assert_eq!(streams[0]["client_name"], "gannet pub");
    assert_eq!(streams[0]["subscribers"][0]["client_name"], "gannet sub");
    let text = String::from_utf8(driver.gannet(&["streams"]).end().success()).expect("text");
    assert!(text.contains("(gannet sub) at 0, 0 bytes behind"), "{text}");
    drop((subscriber, publisher));
}

/// Applications choose the types of their counters from all 32-bit numbers.
#[test]
fn counters_are_chosen_by_their_types() {
    let driver = Driver::start();
    let client = driver.client();
    let _counters =
        [-7, -8, 2_000].map(|kind| client.add_counter(kind, &[], &format!("kind {kind}")).expect("there is room"));
    for (chosen, expected) in [
        (&["--type", "-7"][..], &[-7][..]),
        (&["--type=-7,2000"], &[-7, 2_000]),
        (&["--type", "-7", "--type", "-8"], &[-7, -8]),
    ] {
        let lines = driver.gannet(&[&["stat", "--json"], chosen].concat()).end().json();
        let found: Vec<_> = lines.iter().map(|line| line["type_id"].as_i64().expect("a number")).collect();
        assert_eq!(found, expected, "{chosen:?}");
    }
}

#[test]
fn why_names_the_subscriber_that_stands_still() {
    let driver = Driver::start();
    let quick = driver.gannet(&["sub", "--channel", CHANNEL, "--until-end"]);
    let stuck = driver.gannet(&["sub", "--channel", CHANNEL, "--until-end"]);
    let publisher = driver.publish_forever(&["--channel", CHANNEL, "--subscribers", "2"]);
    let positions = || -> Vec<i64> {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let subscribers = streams.first().and_then(|line| line["subscribers"].as_array().cloned()).unwrap_or_default();
        subscribers.iter().filter_map(|subscriber| subscriber["position"].as_i64()).collect()
    };
    eventually("both subscribers read", || (positions().iter().filter(|&&at| at > 0).count() == 2).then_some(()));

    stuck.signal(Signal::STOP);
    // The other subscriber reads until there is no more, and then the publisher has used up its window.
    // A busy machine may hold the other one up for as long, but not for ever.
    let (finding, held_at) = eventually("the publication is held by the one that does not move", || {
        let findings = driver.gannet(&["why", "--json", "--for", "300ms"]).end().json();
        let finding = findings.into_iter().find(|line| {
            line["state"] == "held"
                && line["samples"] == line["samples_at_limit"]
                && line["holder_still_for_ms"].as_u64() >= Some(250)
        })?;
        let held_at = finding["holder"]["position"].as_i64()?;
        let mut at = positions();
        at.sort_unstable();
        (at[0] == held_at && at[1] > held_at).then_some((finding, held_at))
    });
    assert_eq!(finding["holder"]["kind"], "subscriber");
    assert_eq!(finding["holder"]["client_name"], "gannet sub");
    assert!(finding["holder"]["behind"].as_i64() >= Some(16 * 1024), "{finding}");
    eventually("the same is told in words", || {
        let text = String::from_utf8(driver.gannet(&["why", "--for", "100ms"]).end().success()).expect("text");
        (text.contains("held by subscriber") && text.contains("not moved for at least")).then_some(())
    });

    stuck.signal(Signal::CONT);
    eventually("the holder moves", || positions().iter().all(|&at| at > held_at).then_some(()));
    publisher.signal(Signal::TERM);
    publisher.end().success();
    drop((quick, stuck));
}

/// The subscriber reads all that there is.
#[test]
fn why_tells_a_claim_that_is_left_open() {
    let driver = Driver::start();
    let client = driver.client();
    let publication = client.add_publication(CHANNEL, 1001).expect("there is room");
    let subscriber = driver.gannet(&["sub", "--channel", CHANNEL, "--count", "2"]);
    eventually("the first message is published", || publication.offer(b"first").ok());
    let claim = eventually("the second message is claimed", || publication.try_claim(6).ok());
    let finding = || driver.gannet(&["why", "--json", "--for", "60ms"]).end().json().pop().expect("a publication");
    let waiting = eventually("the subscriber waits", || {
        let finding = finding();
        (finding["claim_open_for_ms"].as_u64() >= Some(50)).then_some(finding)
    });
    let holder = &waiting["holder"];
    assert_eq!(
        (&holder["kind"], &holder["position"], &holder["behind"]),
        (&"subscriber".into(), &64.into(), &64.into())
    );
    let text = String::from_utf8(driver.gannet(&["why", "--for", "60ms"]).end().success()).expect("text");
    assert!(text.contains("the message there is claimed, and not published for at least"), "{text}");
    claim.commit().expect("nobody took it away");
    assert_eq!(subscriber.end().success(), b"first\n\0\0\0\0\0\0\n");
    assert_eq!(finding()["claim_open_for_ms"], Value::Null);
}

#[test]
fn a_publication_that_nobody_reads_is_not_called_held() {
    let driver = Driver::start();
    let _ipc = driver.gannet_with_input(&["pub", "--channel", CHANNEL, "--wait", "170s"], Some(b"line\n"));
    // A socket that listens without being a receiver.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let channel = format!("aeron:udp?endpoint={}|term-length=64k", socket.local_addr().expect("bound"));
    let _udp = driver.gannet_with_input(&["pub", "--channel", &channel, "--wait", "170s"], Some(b"line\n"));
    let findings = eventually("both publish", || {
        let findings = driver.gannet(&["why", "--json", "--for", "60ms"]).end().json();
        (findings.len() == 2).then_some(findings)
    });
    for finding in findings {
        assert_eq!(
            (&finding["state"], &finding["samples_at_limit"]),
            (&"not_connected".into(), &0.into()),
            "{finding}"
        );
        assert!(finding["held_for_ms"].is_null() && finding["not_connected_for_ms"].is_u64(), "{finding}");
    }
    assert!(driver.gannet(&["why", "--json", "--held", "--for", "60ms"]).end().json().is_empty());
    let streams = String::from_utf8(driver.gannet(&["streams"]).end().success()).expect("text");
    assert!(streams.contains("not connected: no receiver takes it; ") && !streams.contains("paced by"), "{streams}");
}

/// Its files are still there to be read, and ids begin anew.
#[test]
fn publications_of_a_driver_that_has_ended_are_not_told_of_once_there_is_another() {
    let mut driver = Driver::start();
    let publisher = driver.gannet_with_input(&["pub", "--channel", CHANNEL, "--wait", "170s"], Some(b"line\n"));
    eventually("there is a publication", || {
        (!driver.gannet(&["streams", "--json"]).end().json().is_empty()).then_some(())
    });
    let why = driver.gannet(&["why", "--json", "--for", "170s"]);
    eventually("the driver is watched", || why.has_mapped("cnc.dat").then_some(()));
    driver.shut_down();
    assert_eq!(publisher.end().code(), Some(1));
    driver.start_anew();
    eventually("the other driver is watched", || why.has_mapped("cnc.dat").then_some(()));
    why.signal(Signal::TERM);
    assert_eq!(why.end().json(), [Value::Null; 0]);
}

/// A driver's directory is private: what another user's command may not open is not taken for absent.
#[test]
fn a_user_without_permission_is_told_so() {
    let driver = Driver::start();
    let above = driver.path();
    let above = above.parent().expect("it is in a folder of the test");
    let is_root = rustix::process::geteuid().is_root();
    // The superuser is permitted everything, so the commands run as somebody else. Others lose their own permission.
    set_permissions(above, Permissions::from_mode(0o755)).expect("it is ours");
    let closed = |mode| set_permissions(driver.path(), Permissions::from_mode(mode)).expect("it is ours");
    if !is_root {
        closed(0o000);
    }
    let ended = ["stat", "streams", "why", "sub", "pub"].map(|command| {
        let mut command = gannet(&[command]);
        command.arg("--dir").arg(driver.path());
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        Process::spawn(&mut command, Some(b"a line\n")).end()
    });
    closed(0o700);
    for ended in ended {
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        let advice = format!(
            "no permission to use the driver in {}: run this as the driver's user, or start the driver with --dir-access \
             group",
            driver.path().display()
        );
        assert!(ended.stderr.contains(&advice), "{ended:?}");
    }
}

#[test]
fn errors_are_listed_with_their_counts() {
    let driver = Driver::start();
    assert!(driver.gannet(&["errors", "--json"]).end().json().is_empty());
    let text = String::from_utf8(driver.gannet(&["errors"]).end().success()).expect("text");
    assert!(text.ends_with("no errors\n"), "{text}");

    // A well-formed channel that this driver cannot serve: the client gets an error, which is also in the driver's
    // error log.
    for _ in 0..2 {
        let ended = driver.gannet(&["sub", "--channel", "aeron:ipc?session-id=tag:7"]).end();
        assert_eq!(ended.code(), Some(1), "{ended:?}");
    }
    let errors = driver.gannet(&["errors", "--json"]).end().json();
    let times: i64 = errors.iter().filter_map(|line| line["count"].as_i64()).sum();
    assert_eq!(times, 2, "{errors:?}");
    let (first, last) = (errors[0]["first_ms"].as_i64(), errors[0]["last_ms"].as_i64());
    assert!(first > Some(1_600_000_000_000) && last >= first, "{errors:?}");
    assert!(driver.gannet(&["errors", "--json", "--since", "1h"]).end().json().len() == errors.len());
}

/// Every client chooses labels, names and channels. What the terminal would act on is shown as an escape.
#[test]
fn what_clients_write_does_not_act_on_the_terminal() {
    const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\ry\n    0     0 forged";
    let driver = Driver::start();
    let client = Client::connect(driver.context().client_name(HOSTILE)).expect("a driver");
    let _counter = client.add_counter(1_001, &[], HOSTILE).expect("there is room");
    let channel = format!("aeron:ipc?alias={HOSTILE}");
    let _publication = client.add_publication(&channel, 7).expect("there is room");
    client.add_publication(&format!("{channel}|mtu=1"), 7).expect_err("no such MTU");
    for command in ["stat", "errors", "streams", "why"] {
        let mut arguments = vec![command];
        arguments.extend((command == "why").then_some(["--for", "1ms"]).into_iter().flatten());
        let shown = driver.gannet(&arguments).end().success();
        let shown = String::from_utf8(shown).expect("text");
        assert!(!shown.contains(|character: char| character.is_control() && character != '\n'), "{command}: {shown:?}");
        assert!(shown.contains(r"x\u{1b}[2J\u{9b}31m\u{d}y"), "{command}: {shown:?}");
        assert!(command == "errors" || !shown.contains("\n    0     0 forged"), "{command}: {shown:?}");
        arguments.push("--json");
        let json = driver.gannet(&arguments).end();
        assert!(!String::from_utf8_lossy(&json.stdout).contains('\u{9b}'), "{command}: {json:?}");
        assert!(
            json.json().iter().any(|line| line.to_string().contains("\\u001b[2J\u{9b}31m")),
            "as it is in the driver"
        );
    }
}
