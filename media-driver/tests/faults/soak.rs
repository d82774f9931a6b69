//! Client processes that add, use, close and drop handles of all kinds at random, while others of them are killed. In
//! the end no resource of any is left, and a stream that ran beside them all the time is intact.

use crate::abandoned::Holdings;
use crate::driver_process::DriverProcess;
use crate::healthy::Healthy;
use crate::helper::Helper;
use crate::random::seeded;

const IMPATIENT: &[&str] = &[
    "-Daeron.client.liveness.timeout=12s",
    "-Daeron.publication.unblock.timeout=12100ms",
    "-Daeron.ipc.term.buffer.length=64k",
];

/// The number of processes at a time.
const ALIVE: usize = 3;
/// The total number of processes.
const LIVES: u32 = 24;

#[test]
fn nothing_is_left_of_clients_that_come_and_go_and_are_killed() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let healthy = Healthy::start(&driver.dir, 7);
    let before = Holdings::of(&driver);
    let mut random = seeded(0x50A6);
    let mut alive = Vec::new();
    for _ in 0..LIVES {
        alive.push(Helper::start("churn", &driver.dir, random.u32(..)));
        if alive.len() == ALIVE {
            let chosen: Helper = alive.swap_remove(random.usize(0..ALIVE));
            chosen.hear("busy");
            // Two of three are killed.
            if random.u32(0..3) > 0 { chosen.kill() } else { chosen.end() }
        }
    }
    for helper in alive {
        helper.hear("busy");
        helper.kill();
    }
    before.await_again(&driver);
    healthy.finish();
}
