//! Publications fill the directory's file system. The one that does not fit is refused, with the file, the size needed
//! and the space left. Those that fit can be used completely, and the next one fits as soon as one of them is gone.

use std::fs;
use std::process::Command;

use gannet::command::ErrorCode;
use gannet::{AddError, Client, OfferError};

use crate::driver_process::{DriverProcess, await_that};
use crate::healthy::Healthy;
use crate::helper::{Helper, Stage, context};
use crate::skip;

#[test]
fn for_one_more_publication() {
    let temp = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=24m none {}", temp.path().display());
    // In namespaces for mounts and processes, which end with their first process.
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]);
        command.args([script, "sh"]);
        command
    };
    if !inside(&mount).output().is_ok_and(|output| output.status.success()) {
        skip::report("no_room", "this user may not mount a file system in a namespace");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let script = format!("{mount} && exec {} \"$@\"", program.display());
    let helper = Helper::start_in(inside(&script), "fill up", temp.path(), "");
    helper.hear("all is well");
    helper.end();
}

/// The role of the process in which the file system is mounted.
pub(crate) fn fill_up(stage: &Stage) {
    let driver = DriverProcess::start(&stage.dir.join("driver"), &["-Daeron.ipc.term.buffer.length=64k"]);
    let healthy = Healthy::start(&driver.dir, 7);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let add = |stream_id| client.add_exclusive_publication("aeron:ipc?term-length=1m", stream_id);
    let mut publications = Vec::new();
    let error = loop {
        match add(3_000 + publications.len() as i32) {
            Ok(publication) => publications.push(publication),
            Err(error) => break error,
        }
        assert!(publications.len() < 8, "24 MiB hold 7 logs of 3 MiB at most");
    };
    let AddError::Refused { code, message, .. } = error else { panic!("{error}") };
    assert_eq!(code, ErrorCode::StorageSpace);
    assert_eq!(code.get(), 12);
    let files = driver.dir.join("publications");
    assert!(message.contains(&format!("cannot reserve 3149824 bytes for {}/", files.display())), "{message}");
    let left = message.split("its file system has ").nth(1).unwrap_or_else(|| panic!("{message}"));
    let left: u64 = left.split(' ').next().unwrap().parse().unwrap();
    assert!(left < 3_149_824, "{message}");
    assert_eq!(fs::read_dir(&files).unwrap().count(), publications.len() + 1, "nothing is left of it");

    // Every byte of those that fit is usable: three terms and more are written and read.
    for publication in &mut publications {
        let mut subscription = client.add_subscription("aeron:ipc", publication.stream_id().get()).unwrap();
        let (mut sent, mut received) = (0, 0);
        let message = [0xCD; 1_376];
        await_that("four terms go through", || {
            for _ in 0..200 {
                match publication.offer(&message) {
                    Ok(_) => sent += 1,
                    Err(OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            let check = |fragment: gannet::Fragment<'_>| assert_eq!(fragment.payload(), message);
            received += subscription.poll(check, 400);
            sent > 3_000 && received == sent
        });
    }
    healthy.goes_on();

    let kept = publications.split_off(1);
    let given_up = publications.pop().unwrap();
    drop(given_up);
    await_that("there is room again", || fs::read_dir(&files).unwrap().count() == kept.len() + 1);
    add(4_000).unwrap();
    healthy.finish();
    stage.say("all is well");
    stage.stand_still();
}
