//! A thread that may not set up io_uring, as in many containers: the driver chooses sockets and says why, or refuses to
//! start if io_uring is required.
#![allow(unsafe_code, reason = "forbids this thread a system call")]

use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, TransportName};
use gannet_driver::io::transport::{TransportKind, choose};

/// Makes this thread's calls of one number fail with "not permitted".
fn forbid(call: i64) {
    fail_from(0, call, libc::EPERM);
}

/// Makes the calls of one number whose third argument is at least `least` fail, of this thread and those that it starts.
pub(crate) fn fail_from(least: u32, call: i64, errno: i32) {
    let filter = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    let refusal = libc::SECCOMP_RET_ERRNO | errno as u32;
    let mut program = [
        // Loads the number of the call, and then its third argument. If both are those that fail, it is refused; else it
        // is allowed.
        filter(0x20, 0, 0, 0),
        filter(0x15, 0, 3, call as u32),
        filter(0x20, 0, 0, 32),
        filter(0x35, 0, 1, least),
        filter(0x06, 0, 0, refusal),
        filter(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers, and the address of a program that is a local and as long as it says.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// A ring can be created, but does not work: io_uring is chosen only if it works.
#[test]
fn a_driver_does_without_io_uring_where_any_of_its_calls_is_forbidden() {
    for call in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register] {
        sockets_are_chosen_without(call);
    }
}

fn sockets_are_chosen_without(call: i64) {
    let confined = std::thread::spawn(move || {
        forbid(call);
        let chosen = choose(TransportName::Auto).unwrap();
        assert_eq!(chosen.kind, TransportKind::Sockets);
        let warning = chosen.warning().expect("a reason");
        assert!(warning.contains("not permitted"), "{warning}");
        let refused = choose(TransportName::IoUring).unwrap_err().to_string();
        assert!(refused.contains("gannet.transport=io_uring") && refused.contains("not permitted"), "{refused}");
        assert_eq!(choose(TransportName::Sockets).unwrap().kind, TransportKind::Sockets);
    });
    confined.join().expect("the thread's own assertions");
}

/// The whole driver: threads inherit the restrictions of their creator.
#[test]
fn a_driver_that_may_not_use_io_uring_starts_and_says_so() {
    let confined = std::thread::spawn(|| {
        forbid(libc::SYS_io_uring_setup);
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.buffers.counter_values_length = ByteLength::new(1 << 20);
        let driver = MediaDriver::launch_embedded(config.clone()).unwrap();
        let said = driver.warnings().join("\n");
        assert!(said.contains("io_uring") && said.contains("not permitted"), "{said}");
        driver.close().unwrap();
        config.process.transport = TransportName::IoUring;
        let refusal = MediaDriver::launch_embedded(config).unwrap_err().to_string();
        assert!(refusal.contains("gannet.transport=io_uring") && refusal.contains("not permitted"), "{refusal}");
    });
    confined.join().expect("the thread's own assertions");
}

#[test]
fn io_uring_is_chosen_where_it_works() {
    let insisted = choose(TransportName::IoUring);
    let chosen = choose(TransportName::Auto).unwrap();
    assert_eq!(chosen.kind == TransportKind::IoUring, insisted.is_ok());
    assert_eq!(chosen.warning().is_none(), insisted.is_ok());
}
