//! UNSAFE FENCE: the C driver inside this process. The caller runs its main agent; further agents, if the threading
//! mode has any, have threads of their own. Two such drivers in one process share the C code's global state, such as
//! its loss generators, and work together if they have the same settings.
#![allow(unsafe_code, reason = "calls of the C driver, which is the peer under test")]

use super::ThreadingMode;
use crate::error::PeerError;
use rusteron_media_driver::bindings as c;
use std::ffi::{CStr, CString, c_int, c_void};
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The settings that are passed by calls. All others come from the environment, as for any C driver.
#[derive(Clone, Debug, Default)]
pub struct DriverSettings {
    /// The directory of the driver.
    pub dir: Option<PathBuf>,
    /// The threading mode.
    pub threading_mode: Option<ThreadingMode>,
    /// The length of the terms of IPC publications, in bytes.
    pub ipc_term_length: Option<usize>,
    /// The settings for sockets, if other than the defaults.
    pub network: Option<NetworkSettings>,
}

/// A driver's settings for sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The receive buffer of a socket in bytes.
    pub so_rcvbuf: usize,
    /// Datagrams per system call, and per publication and duty cycle; at most 16.
    pub io_vectors: u32,
}

/// A C driver whose main agent is run by its owner.
#[derive(Debug)]
pub struct EmbeddedDriver {
    driver: NonNull<c::aeron_driver_t>,
    context: NonNull<c::aeron_driver_context_t>,
    terminated: Arc<AtomicBool>,
}

// SAFETY: the C driver's main agent is bound to no thread; it is run through `&mut self` only.
unsafe impl Send for EmbeddedDriver {}

impl EmbeddedDriver {
    /// Starts a driver. Clients can connect once this returns, but are served only while the owner calls
    /// [`do_work`](Self::do_work).
    pub fn start(settings: &DriverSettings) -> Result<Self, PeerError> {
        let terminated = Arc::new(AtomicBool::new(false));
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a place for the pointer that the call stores.
        check(unsafe { c::aeron_driver_context_init(&mut context) }, "reading the driver's settings")?;
        let context = NonNull::new(context).expect("a context that was made without an error");
        match configure(context, settings, &terminated).and_then(|()| launch(context)) {
            Ok(driver) => Ok(Self { driver, context, terminated }),
            Err(error) => {
                // SAFETY: no driver came of it, so nothing else refers to the context.
                unsafe { c::aeron_driver_context_close(context.as_ptr()) };
                Err(error)
            }
        }
    }

    /// Runs one duty cycle of the main agent, and returns its work count.
    #[inline]
    pub fn do_work(&mut self) -> usize {
        // SAFETY: the driver is open until `self` is dropped.
        usize::try_from(unsafe { c::aeron_driver_main_do_work(self.driver.as_ptr()) }).unwrap_or(0)
    }

    /// Idles as the main agent's idle strategy does after `work`.
    #[inline]
    pub fn idle(&mut self, work: usize) {
        // SAFETY: as for `do_work`.
        unsafe { c::aeron_driver_main_idle_strategy(self.driver.as_ptr(), work.try_into().unwrap_or(c_int::MAX)) };
    }

    /// Whether a client was allowed to terminate the driver.
    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Acquire)
    }

    /// The version of the C code.
    pub fn version() -> String {
        // SAFETY: the call returns a constant string.
        unsafe { CStr::from_ptr(c::aeron_version_full()) }.to_string_lossy().into_owned()
    }
}

impl Drop for EmbeddedDriver {
    fn drop(&mut self) {
        // SAFETY: both belong to this handle; the driver is closed before the context that it refers to, and the
        // termination hook does not run after that, so `terminated` may go with `self`.
        unsafe {
            c::aeron_driver_close(self.driver.as_ptr());
            c::aeron_driver_context_close(self.context.as_ptr());
        }
    }
}

fn configure(
    context: NonNull<c::aeron_driver_context_t>,
    settings: &DriverSettings,
    terminated: &Arc<AtomicBool>,
) -> Result<(), PeerError> {
    let context = context.as_ptr();
    let attempted = "applying the driver's settings";
    // SAFETY: the context is open and not yet used by a driver; texts are copied by the calls; the hook's flag lives
    // until the driver is closed, and the affinity function is given the context that it wants.
    unsafe {
        if let Some(dir) = &settings.dir {
            let dir = CString::new(dir.to_string_lossy().into_owned());
            let dir = dir.map_err(|_| PeerError::NulInText { attempted: attempted.into() })?;
            check(c::aeron_driver_context_set_dir(context, dir.as_ptr()), attempted)?;
        }
        if let Some(mode) = settings.threading_mode {
            check(c::aeron_driver_context_set_threading_mode(context, c_mode(mode)), attempted)?;
        }
        if let Some(length) = settings.ipc_term_length {
            check(c::aeron_driver_context_set_ipc_term_buffer_length(context, length), attempted)?;
        }
        if let Some(NetworkSettings { so_rcvbuf, io_vectors }) = settings.network {
            check(c::aeron_driver_context_set_socket_so_rcvbuf(context, so_rcvbuf), attempted)?;
            check(c::aeron_driver_context_set_sender_io_vector_capacity(context, io_vectors), attempted)?;
            check(c::aeron_driver_context_set_receiver_io_vector_capacity(context, io_vectors), attempted)?;
            let set_per_send = c::aeron_driver_context_set_network_publication_max_messages_per_send;
            check(set_per_send(context, io_vectors), attempted)?;
        }
        let flag = Arc::as_ptr(terminated).cast_mut().cast();
        check(c::aeron_driver_context_set_driver_termination_hook(context, Some(on_termination), flag), attempted)?;
        check(c::aeron_driver_validate_and_apply_affinity_configuration(context), attempted)?;
        let affinity = Some(c::aeron_set_thread_affinity_on_start as unsafe extern "C" fn(_, _));
        check(c::aeron_driver_context_set_agent_on_start_function(context, affinity, context.cast()), attempted)?;
    }
    Ok(())
}

fn launch(context: NonNull<c::aeron_driver_context_t>) -> Result<NonNull<c::aeron_driver_t>, PeerError> {
    let mut driver = ptr::null_mut();
    // SAFETY: the context is complete, and `driver` is a place for the pointer that the call stores.
    check(unsafe { c::aeron_driver_init(&mut driver, context.as_ptr()) }, "driver init")?;
    // SAFETY: the driver was just made and not yet started.
    if let Err(error) = check(unsafe { c::aeron_driver_start(driver, true) }, "driver start") {
        // SAFETY: as above; nothing else knows the driver.
        unsafe { c::aeron_driver_close(driver) };
        return Err(error);
    }
    Ok(NonNull::new(driver).expect("a driver that was made without an error"))
}

fn c_mode(mode: ThreadingMode) -> c::aeron_threading_mode_t {
    use c::aeron_threading_mode_t as c_mode;
    match mode {
        ThreadingMode::Dedicated => c_mode::AERON_THREADING_MODE_DEDICATED,
        ThreadingMode::SharedNetwork => c_mode::AERON_THREADING_MODE_SHARED_NETWORK,
        ThreadingMode::Shared => c_mode::AERON_THREADING_MODE_SHARED,
        ThreadingMode::Invoker => c_mode::AERON_THREADING_MODE_INVOKER,
    }
}

unsafe extern "C" fn on_termination(flag: *mut c_void) {
    // SAFETY: `configure` passes a pointer to the driver's own flag, which outlives the driver.
    unsafe { &*flag.cast::<AtomicBool>() }.store(true, Ordering::Release);
}

/// Converts a negative return value to the calling thread's C error.
fn check(returned: c_int, attempted: &str) -> Result<(), PeerError> {
    if returned >= 0 {
        return Ok(());
    }
    // SAFETY: both calls read thread-local state of the C code; the text is copied before anything can change it.
    let (code, message) = unsafe { (c::aeron_errcode(), CStr::from_ptr(c::aeron_errmsg())) };
    Err(PeerError::Refused {
        attempted: attempted.into(),
        code: if code == 0 { returned } else { code },
        message: message.to_string_lossy().into_owned(),
    })
}
