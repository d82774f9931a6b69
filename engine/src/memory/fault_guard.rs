//! Protection against mapped files that somebody else truncates, or that the disk cannot read back. Without it, the
//! first touch of a missing page ends the process with SIGBUS. In a guarded mapping, a private page of zeroes takes the
//! place of the missing page, and the mapping counts as not intact from then on.
//! `docs/decisions/0004-files-cut-short.md` says why a signal handler does this.
//!
//! ```text
//!  a touch of a guarded mapping ─ SIGBUS ─▶ on_bus_error: counts the fault, puts a page of zeroes there ─▶ the touch is repeated
//!  a touch of anything else     ─ SIGBUS ─▶ the previous handler
//! ```
//!
//! Code that reads a guarded mapping calls [`faults`] after it has read and before it relies on the data. If the number
//! has not changed, all data came from the file.
#![allow(unsafe_code, reason = "UNSAFE FENCE: handles a signal, and puts pages in the place of others")]

use core::ffi::c_void;
use core::ptr;
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::sync::{AtomicBool, AtomicI64, Ordering, compiler_fence, fence};

/// The number of mappings in a chunk of the table.
const CHUNK: usize = 64;

/// The guarded mappings. Grows and never shrinks, because the handler can read it at any time.
static TABLE: Chunk = Chunk::new();
/// Held while a slot of the table is taken or returned. The handler does not need it.
static CHANGING: Mutex<()> = Mutex::new(());
/// The number of pages that were replaced in this process so far.
static FAULTS: AtomicI64 = AtomicI64::new(0);
/// The length of a page in bytes.
static PAGE: AtomicI64 = AtomicI64::new(4096);
/// The previous handler of the signal.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// The number of pages of guarded mappings that were replaced in this process so far. Nearly always 0. Never decreases.
///
/// Includes the pages that this thread read before the call.
#[inline(always)]
pub(crate) fn faults() -> i64 {
    // The handler runs on the thread that accesses the page, between two of its instructions. Only the compiler could
    // move the access after this load.
    compiler_fence(Ordering::SeqCst);
    FAULTS.load(Ordering::Relaxed)
}

/// A mapping in the table. Dropped before the mapping is unmapped, because its addresses may be reused then.
#[derive(Debug)]
pub(super) struct Guard {
    slot: &'static Slot,
}

impl Guard {
    /// Guards the `length` bytes at `start`, which must be a mapping.
    pub(super) fn new(start: usize, length: usize) -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = &TABLE;
        let slot = loop {
            match chunk.slots.iter().find(|slot| !slot.taken.load(Ordering::Relaxed)) {
                Some(slot) => break slot,
                None => chunk = chunk.next.get_or_init(|| Box::new(Chunk::new())),
            }
        };
        slot.taken.store(true, Ordering::Relaxed);
        slot.faults.store(0, Ordering::Relaxed);
        slot.set(start, start + length);
        Self { slot }
    }

    /// Whether no page of the mapping was replaced.
    pub(super) fn is_intact(&self) -> bool {
        compiler_fence(Ordering::SeqCst);
        self.slot.faults.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        self.slot.set(0, 0);
        self.slot.taken.store(false, Ordering::Relaxed);
    }
}

struct Chunk {
    slots: [Slot; CHUNK],
    next: OnceLock<Box<Chunk>>,
}

impl Chunk {
    const fn new() -> Self {
        Self { slots: [const { Slot::new() }; CHUNK], next: OnceLock::new() }
    }
}

/// The addresses of a mapping. The slot is free if both are 0.
#[derive(Debug)]
struct Slot {
    taken: AtomicBool,
    /// Odd while the addresses change.
    turn: AtomicI64,
    start: AtomicI64,
    end: AtomicI64,
    faults: AtomicI64,
}

impl Slot {
    const fn new() -> Self {
        let [turn, start, end, faults] = [const { AtomicI64::new(0) }; 4];
        Self { taken: AtomicBool::new(false), turn, start, end, faults }
    }

    /// Sets the addresses. The caller holds the lock.
    fn set(&self, start: usize, end: usize) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn + 1, Ordering::Relaxed);
        // ORDERING(memory.guard): Release fence. Pairs with the Acquire fence in `contains`: whoever loads either new
        // address sees that the turn is odd, or has passed.
        fence(Ordering::Release);
        self.start.store(start as i64, Ordering::Relaxed);
        self.end.store(end as i64, Ordering::Relaxed);
        // ORDERING(memory.guard): Release. Pairs with the Acquire load in `contains`; publishes both addresses.
        self.turn.store(turn + 2, Ordering::Release);
    }

    /// Whether the address is in the mapping. A thread's own mapping does not change while the thread accesses it, so a
    /// slot that changes is not the one in question.
    fn contains(&self, address: i64) -> bool {
        // ORDERING(memory.guard): Acquire. Pairs with the Release store in `set`.
        let turn = self.turn.load(Ordering::Acquire);
        let (start, end) = (self.start.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed));
        // ORDERING(memory.guard): Acquire fence. Pairs with the Release fence in `set`.
        fence(Ordering::Acquire);
        let unchanged = turn % 2 == 0 && self.turn.load(Ordering::Relaxed) == turn;
        unchanged && (start..end).contains(&address)
    }
}

fn install() {
    // SAFETY: the first call has no arguments but a number. Both are structures of numbers and pointers, for which zero
    // is a value; the calls get pointers to them that are good for as long as they take. The handler does nothing that
    // a signal handler may not: see there.
    unsafe {
        PAGE.store(libc::sysconf(libc::_SC_PAGESIZE), Ordering::Relaxed);
        let mut previous: libc::sigaction = core::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) != 0 {
            return;
        }
        // Stored before the handler can be called, because the handler needs it.
        let _ = PREVIOUS.set(previous);
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        // On the alternate signal stack, if the thread has one, because the previous handler may be there to report
        // stack overflows.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        // If this fails, a truncated file ends the process as it would without the guard.
        let _ = libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

/// Handles the signal. Only accesses atomics and makes system calls. Takes no lock and allocates nothing, because it
/// may have interrupted any code.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes what the fault was, valid during the call.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as i64) };
    // Other codes are for broken memory, and for signals that a process sent.
    if code == libc::BUS_ADRERR && replace_page(address) {
        return;
    }
    pass_on(signal, info, context);
}

/// Maps a page of zeroes at the address, if it is in a guarded mapping.
fn replace_page(address: i64) -> bool {
    let mut chunk = Some(&TABLE);
    while let Some(Chunk { slots, next }) = chunk {
        if let Some(slot) = slots.iter().find(|slot| slot.contains(address)) {
            // Counted before the page can be read, so that whoever reads a zero of this page can know of it.
            slot.faults.fetch_add(1, Ordering::SeqCst);
            FAULTS.fetch_add(1, Ordering::SeqCst);
            let page = PAGE.load(Ordering::Relaxed);
            // SAFETY: reads the calling thread's own error number, as the write below does.
            let error = unsafe { *libc::__errno_location() };
            // SAFETY: the page is part of a mapping that lives, since a thread touches it; the kernel replaces it in one step. It stays
            // readable and writable, and what lies there are words and bytes, for which every value is good.
            let replaced = unsafe {
                mmap_anonymous(
                    (address & -page) as *mut c_void,
                    page as usize,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
                )
            };
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = error };
            return replaced.is_ok();
        }
        chunk = next.get().map(|next| &**next);
    }
    false
}

/// Calls the previous handler.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes what the fault was, valid during the call.
    let was_sent = unsafe { (*info).si_code <= 0 };
    let previous = PREVIOUS.get();
    match previous.map(|previous| (previous.sa_sigaction, previous.sa_flags)) {
        Some((handler, flags)) if handler != libc::SIG_DFL && handler != libc::SIG_IGN => {
            // SAFETY: whoever installed it said by this flag which of the two kinds of function it is.
            unsafe {
                if flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void) =
                        core::mem::transmute(handler);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) = core::mem::transmute(handler);
                    handler(signal);
                }
            }
        }
        // Only what was sent: the kernel does not let a fault be ignored.
        Some((libc::SIG_IGN, _)) if was_sent => {}
        _ => {
            // SAFETY: a structure of numbers and pointers, for which zero, the default action, is a value.
            unsafe {
                let action: libc::sigaction = core::mem::zeroed();
                libc::sigaction(signal, &raw const action, ptr::null_mut());
                // A fault is raised again when this returns; a signal that a process sent is not.
                if was_sent {
                    libc::raise(signal);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::process::ExitStatusExt;

    use crate::memory::{FileAccess, MappedFile, Region, Reserve, faults};

    #[test]
    fn what_is_cut_off_reads_zero_and_is_known_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = MappedFile::create(&path, 64 << 10, 0o600, Reserve::SpaceAndPages).unwrap().guarded();
        let written = Region::mapped(file).view();
        written.put_bytes(0, &[7; 64 << 10]);
        let read = Region::mapped(MappedFile::open(&path, 1, FileAccess::ReadOnly).unwrap().guarded()).view();
        let other = dir.path().join("other");
        let other = MappedFile::create(&other, 4096, 0o600, Reserve::Space).unwrap().guarded();
        assert!(read.is_intact() && written.is_intact() && other.is_intact());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(8192).unwrap();
        let before = faults();
        let mut bytes = [0; 20_000];
        read.get_bytes(0, &mut bytes);
        assert!(bytes[..8192].iter().all(|&byte| byte == 7), "what is there is read");
        assert!(bytes[8192..].iter().all(|&byte| byte == 0));
        assert!(faults() >= before + 3 && !read.is_intact());
        assert!(written.is_intact() && other.is_intact(), "nobody has touched it");
        // A store goes nowhere, and does no harm.
        written.put_bytes(60_000, &[9; 100]);
        assert!(!written.is_intact() && other.is_intact());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 8192);
    }

    #[test]
    fn there_is_room_for_any_number_of_mappings() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![1; 4096]).unwrap();
        let open = || Region::mapped(MappedFile::open(&path, 1, FileAccess::ReadOnly).unwrap().guarded()).view();
        let views: Vec<_> = (0..super::CHUNK * 3).map(|_| open()).collect();
        drop(open());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        for view in views {
            let mut byte = [1];
            view.get_bytes(100, &mut byte);
            assert!(!view.is_intact() && byte == [0]);
        }
    }

    /// Does nothing unless it is a process of its own: touches what nobody guards.
    #[test]
    fn touching_child() {
        let Some(path) = std::env::var_os("GANNET_TEST_TOUCH") else { return };
        let file = MappedFile::open(path.as_ref(), 1, FileAccess::ReadOnly).unwrap();
        // There is a handler.
        drop(MappedFile::open(path.as_ref(), 1, FileAccess::ReadOnly).unwrap().guarded());
        let view = Region::mapped(file).view();
        OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
        view.get_bytes(0, &mut [0]);
    }

    /// Does nothing unless it is a process of its own: ignores the signal, before there is a handler, and gets it.
    #[test]
    fn ignoring_child() {
        let Some(path) = std::env::var_os("GANNET_TEST_IGNORE") else { return };
        // SAFETY: no function is named that the signal would call.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
        drop(MappedFile::open(path.as_ref(), 1, FileAccess::ReadOnly).unwrap().guarded());
        // SAFETY: sends this thread a signal, which it handles.
        unsafe { libc::raise(libc::SIGBUS) };
    }

    /// How a process ends that runs the test of this name alone.
    fn end_of(test: &str, variable: &str) -> std::process::ExitStatus {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![1; 4096]).unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", &format!("memory::fault_guard::tests::{test}")]).env(variable, &path);
        child.output().unwrap().status
    }

    #[test]
    fn a_fault_elsewhere_is_as_deadly_as_ever() {
        let ended = end_of("touching_child", "GANNET_TEST_TOUCH");
        assert_eq!(ended.signal(), Some(libc::SIGBUS), "{ended}");
    }

    #[test]
    fn a_signal_that_a_process_sends_is_ignored_as_before() {
        let ended = end_of("ignoring_child", "GANNET_TEST_IGNORE");
        assert!(ended.success(), "{ended}");
    }
}
