//! Compares a whole fresh CnC file with the one that Aeron's C driver wrote with the same settings.

use std::fs;
use std::ops::Range;

use crate::driver_process::DriverProcess;
use crate::reference::reference_file;

const METADATA: usize = 2_098_176;
const VALUES: usize = 35_652_608;

/// The settings of the driver that wrote the reference file: its defaults, with one thread.
const DEFAULTS: &[&str] = &[
    "--profile",
    "balanced",
    "-Daeron.threading.mode=SHARED",
    "-Daeron.counters.buffer.length=8m",
    "-Daeron.client.liveness.timeout=10s",
    "-Daeron.publication.unblock.timeout=15s",
];

/// The label of a counter, behind its length.
const fn label(id: usize) -> Range<usize> {
    let record = METADATA + id * 512;
    record + 128..record + 512
}

/// The value of a counter.
const fn value(id: usize) -> Range<usize> {
    let record = VALUES + id * 128;
    record..record + 8
}

/// Clears what differs between any two drivers, and nothing else.
const DIFFERING: &[(&str, Range<usize>)] = &[
    ("when the driver started, and its process id", 32..48),
    ("the driver's heartbeat", 1_049_344..1_049_352),
    ("the version in the label of the errors' counter", label(15)),
    ("the version in its own counter's label", label(34)),
    ("the conductor's longest cycle", value(26)),
    ("how many took long", value(27)),
    ("the sender's longest", value(28)),
    ("how many of those took long", value(29)),
    ("the receiver's longest", value(30)),
    ("how many of those took long", value(31)),
    ("the version", value(34)),
];

#[test]
fn a_fresh_command_file_is_that_of_aerons_driver_byte_for_byte() {
    let theirs = reference_file("cnc-fresh");
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DEFAULTS);
    let ours = fs::read(driver.dir.join("cnc.dat")).unwrap();
    assert_eq!(ours.len(), theirs.len());
    let may_differ = |at: usize| DIFFERING.iter().any(|(_, range)| range.contains(&at));
    let differing = (0..ours.len()).filter(|&at| ours[at] != theirs[at] && !may_differ(at));
    let shown: Vec<_> = differing.take(8).map(|at| (at, ours[at], theirs[at])).collect();
    assert!(shown.is_empty(), "offset, ours, theirs: {shown:?}");
    for (what, range) in DIFFERING.iter().filter(|(_, range)| range.start >= METADATA && range.len() > 8) {
        // The labels differ only in the version.
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[range.clone()][4..20]).into_owned();
        assert_eq!(text(&ours), text(&theirs), "{what}");
    }

    let report = fs::read(driver.dir.join("loss-report.dat")).unwrap();
    assert_eq!(report.len(), 1 << 20);
    assert!(report.iter().all(|&byte| byte == 0), "no loss yet");
}
