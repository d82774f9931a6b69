//! UNSAFE FENCE: the C client's subscriptions, images and fragment assemblers.
//!
//! A handler that panics unwinds through the C code. The poll functions are compiled to allow that, but the fragment
//! assemblers are not: there a panic ends the process.
#![allow(unsafe_code, reason = "calls of the C client, and fragments inside its logs")]

use super::events::{self, ImageFacts};
use super::{ANSWER_TIMEOUT, Client, ClientCore, c_text, check};
use crate::error::PeerError;
use rusteron_client::bindings as c;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

/// The payload and header of one frame, or of one reassembled message.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    payload: &'a [u8],
    header: NonNull<c::aeron_header_t>,
}

impl<'a> Fragment<'a> {
    /// The payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The stream position after the fragment.
    #[inline]
    pub fn position(&self) -> i64 {
        // SAFETY: the header lives as long as the fragment, which is one call of the handler.
        unsafe { c::aeron_header_position(self.header.as_ptr()) }
    }

    /// The header's frame length in bytes, header included.
    pub fn frame_length(&self) -> i32 {
        self.values().frame_length
    }

    /// The header's flags.
    pub fn flags(&self) -> u8 {
        self.values().flags
    }

    /// The header's frame type.
    pub fn frame_type(&self) -> i16 {
        self.values().type_
    }

    /// The header's term offset in bytes.
    pub fn term_offset(&self) -> i32 {
        self.values().term_offset
    }

    /// The publisher's session id.
    pub fn session_id(&self) -> i32 {
        self.values().session_id
    }

    /// The stream id.
    pub fn stream_id(&self) -> i32 {
        self.values().stream_id
    }

    /// The term id.
    pub fn term_id(&self) -> i32 {
        self.values().term_id
    }

    /// The header's reserved value.
    pub fn reserved_value(&self) -> i64 {
        self.values().reserved_value
    }

    fn values(&self) -> c::aeron_header_values_frame_t {
        // SAFETY: the struct is plain data for which zero is a value; the header lives as long as the fragment.
        unsafe {
            let mut values: c::aeron_header_values_t = std::mem::zeroed();
            c::aeron_header_values(self.header.as_ptr(), &mut values);
            values.frame
        }
    }

    /// The fragment that the C client passes to a callback.
    ///
    /// # Safety
    ///
    /// The arguments are those of a fragment callback, and `'a` ends with that callback.
    unsafe fn from_callback(buffer: *const u8, length: usize, header: *mut c::aeron_header_t) -> Self {
        // SAFETY: the caller's promise: `length` bytes are readable for the length of the callback.
        let payload = if length == 0 { &[] } else { unsafe { slice::from_raw_parts(buffer, length) } };
        Self { payload, header: NonNull::new(header).expect("a header for each fragment") }
    }
}

/// How a controlled poll continues after a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Does not consume the fragment, and stops.
    Abort,
    /// Consumes the fragment, and stops.
    Break,
    /// Consumes the fragment, publishes the position, and continues.
    Commit,
    /// Consumes the fragment, and continues.
    Continue,
}

impl Action {
    fn from_c(action: c::aeron_controlled_fragment_handler_action_t) -> Self {
        use c::aeron_controlled_fragment_handler_action_t as c_action;
        match action {
            c_action::AERON_ACTION_ABORT => Self::Abort,
            c_action::AERON_ACTION_BREAK => Self::Break,
            c_action::AERON_ACTION_COMMIT => Self::Commit,
            c_action::AERON_ACTION_CONTINUE => Self::Continue,
        }
    }

    fn into_c(self) -> c::aeron_controlled_fragment_handler_action_t {
        use c::aeron_controlled_fragment_handler_action_t as c_action;
        match self {
            Self::Abort => c_action::AERON_ACTION_ABORT,
            Self::Break => c_action::AERON_ACTION_BREAK,
            Self::Commit => c_action::AERON_ACTION_COMMIT,
            Self::Continue => c_action::AERON_ACTION_CONTINUE,
        }
    }
}

/// A subscription, for one thread at a time.
#[derive(Debug)]
pub struct Subscription {
    pub(super) raw: NonNull<c::aeron_subscription_t>,
    pub(super) core: Arc<ClientCore>,
    /// One thread at a time: the C object keeps its own round robin, and images their positions.
    not_sync: PhantomData<Cell<()>>,
}

// SAFETY: the C object is bound to no thread; that two use it at once is ruled out by its not being Sync.
unsafe impl Send for Subscription {}

impl Client {
    /// Adds a subscription and waits for the driver's answer. Its images are reported as events of the client.
    pub fn add_subscription(&self, channel: &str, stream_id: i32) -> Result<Subscription, PeerError> {
        let attempted = || format!("adding a subscription on {channel} stream {stream_id}");
        let uri = c_text(channel, attempted)?;
        let (mut pending, mut raw) = (ptr::null_mut(), ptr::null_mut());
        let guard = self.core.lock();
        let log = events::pointer(&self.core.events);
        // SAFETY: the client is open, the text is copied by the call, `pending` takes the pointer that it stores, and
        // the log outlives the client.
        let returned = unsafe {
            c::aeron_async_add_subscription(
                &mut pending,
                self.core.client.as_ptr(),
                uri.as_ptr(),
                stream_id,
                Some(events::on_available_image),
                log,
                Some(events::on_unavailable_image),
                log,
            )
        };
        check(returned, attempted)?;
        drop(guard);
        // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
        self.core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe {
            c::aeron_async_add_subscription_poll(&mut raw, pending)
        })?;
        let raw = NonNull::new(raw).expect("an answered request");
        Ok(Subscription { raw, core: Arc::clone(&self.core), not_sync: PhantomData })
    }
}

impl Subscription {
    /// Delivers at most `limit` fragments, from all images in turn. Returns how many.
    #[inline]
    pub fn poll<F: FnMut(Fragment<'_>)>(&self, mut handler: F, limit: usize) -> usize {
        // SAFETY: the C object is alive as long as `self`; the handler is used during the call only, as its type says.
        delivered(unsafe {
            c::aeron_subscription_poll(self.raw.as_ptr(), Some(deliver::<F>), (&raw mut handler).cast(), limit)
        })
    }

    /// As [`poll`](Self::poll), but the handler decides after each fragment how to continue.
    pub fn controlled_poll<F: FnMut(Fragment<'_>) -> Action>(&self, mut handler: F, limit: usize) -> usize {
        let callback = Some(deliver_controlled::<F> as ControlledCallback);
        // SAFETY: as for `poll`.
        delivered(unsafe {
            c::aeron_subscription_controlled_poll(self.raw.as_ptr(), callback, (&raw mut handler).cast(), limit)
        })
    }

    /// Delivers whole frames of each image as blocks (bytes, session id, term id) of at most `limit` bytes. Returns the
    /// number of bytes.
    pub fn block_poll<F: FnMut(&[u8], i32, i32)>(&self, mut handler: F, limit: usize) -> usize {
        // SAFETY: as for `poll`.
        let bytes = unsafe {
            c::aeron_subscription_block_poll(
                self.raw.as_ptr(),
                Some(deliver_block::<F>),
                (&raw mut handler).cast(),
                limit,
            )
        };
        usize::try_from(bytes).expect("a block poll with a handler does not fail")
    }

    /// The current number of images.
    pub fn image_count(&self) -> usize {
        // SAFETY: the C object is alive as long as `self`.
        delivered(unsafe { c::aeron_subscription_image_count(self.raw.as_ptr()) })
    }

    /// The image at `index`, in the order in which images became available.
    pub fn image(&self, index: usize) -> Option<Image<'_>> {
        // SAFETY: as for `image_count`; the C client retains the image for us.
        self.retained(unsafe { c::aeron_subscription_image_at_index(self.raw.as_ptr(), index) })
    }

    /// The image of the session `session_id`.
    pub fn image_by_session_id(&self, session_id: i32) -> Option<Image<'_>> {
        // SAFETY: as for `image`.
        self.retained(unsafe { c::aeron_subscription_image_by_session_id(self.raw.as_ptr(), session_id) })
    }

    /// Whether there is an image that is not closed.
    pub fn is_connected(&self) -> bool {
        // SAFETY: as for `image_count`.
        unsafe { c::aeron_subscription_is_connected(self.raw.as_ptr()) }
    }

    /// Whether the subscription was closed, by the application or by the client.
    pub fn is_closed(&self) -> bool {
        // SAFETY: as for `image_count`.
        unsafe { c::aeron_subscription_is_closed(self.raw.as_ptr()) }
    }

    /// The channel's status, -1 for a channel without one.
    pub fn channel_status(&self) -> i64 {
        // SAFETY: as for `image_count`.
        unsafe { c::aeron_subscription_channel_status(self.raw.as_ptr()) }
    }

    /// The registration id.
    pub fn registration_id(&self) -> i64 {
        // SAFETY: the struct is plain data for which zero is a value, and the call fills it in.
        unsafe {
            let mut constants: c::aeron_subscription_constants_t = std::mem::zeroed();
            c::aeron_subscription_constants(self.raw.as_ptr(), &mut constants);
            constants.registration_id
        }
    }

    fn retained(&self, image: *mut c::aeron_image_t) -> Option<Image<'_>> {
        NonNull::new(image).map(|raw| Image { raw, subscription: self })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let _guard = self.core.lock();
        // SAFETY: the C object belongs to this handle; the C client frees it once its conductor has closed it.
        unsafe { c::aeron_subscription_close(self.raw.as_ptr(), None, ptr::null_mut()) };
    }
}

/// One publisher's stream as received by a subscription. Remains usable, though closed, after it became unavailable.
#[derive(Debug)]
pub struct Image<'a> {
    raw: NonNull<c::aeron_image_t>,
    subscription: &'a Subscription,
}

impl Image<'_> {
    /// As [`Subscription::poll`], for this image only.
    #[inline]
    pub fn poll<F: FnMut(Fragment<'_>)>(&self, mut handler: F, limit: usize) -> usize {
        // SAFETY: the image is retained as long as `self`; the handler is used during the call only, as its type says.
        delivered(unsafe {
            c::aeron_image_poll(self.raw.as_ptr(), Some(deliver::<F>), (&raw mut handler).cast(), limit)
        })
    }

    /// As [`poll`](Self::poll), but not beyond `limit_position`.
    pub fn bounded_poll<F: FnMut(Fragment<'_>)>(&self, mut handler: F, limit_position: i64, limit: usize) -> usize {
        let callback = Some(deliver::<F> as Callback);
        // SAFETY: as for `poll`.
        delivered(unsafe {
            c::aeron_image_bounded_poll(self.raw.as_ptr(), callback, (&raw mut handler).cast(), limit_position, limit)
        })
    }

    /// As [`Subscription::controlled_poll`], for this image only.
    pub fn controlled_poll<F: FnMut(Fragment<'_>) -> Action>(&self, mut handler: F, limit: usize) -> usize {
        let callback = Some(deliver_controlled::<F> as ControlledCallback);
        // SAFETY: as for `poll`.
        delivered(unsafe {
            c::aeron_image_controlled_poll(self.raw.as_ptr(), callback, (&raw mut handler).cast(), limit)
        })
    }

    /// Delivers whole frames as one block (bytes, session id, term id) of at most `limit` bytes. Returns the number of
    /// bytes.
    pub fn block_poll<F: FnMut(&[u8], i32, i32)>(&self, mut handler: F, limit: usize) -> usize {
        // SAFETY: as for `poll`.
        delivered(unsafe {
            c::aeron_image_block_poll(self.raw.as_ptr(), Some(deliver_block::<F>), (&raw mut handler).cast(), limit)
        })
    }

    /// The identity of the image.
    pub fn facts(&self) -> ImageFacts {
        // SAFETY: the image is retained as long as `self`, which borrows the subscription.
        unsafe { events::image_facts(self.subscription.raw.as_ptr(), self.raw.as_ptr()) }
    }

    /// The position up to which the image is read.
    pub fn position(&self) -> i64 {
        // SAFETY: the image is retained as long as `self`.
        unsafe { c::aeron_image_position(self.raw.as_ptr()) }
    }

    /// Whether the publisher has ended the stream and everything is read.
    pub fn is_end_of_stream(&self) -> bool {
        // SAFETY: as for `position`.
        unsafe { c::aeron_image_is_end_of_stream(self.raw.as_ptr()) }
    }

    /// The position at which the stream ends; 2^63-1 until it is known.
    pub fn end_of_stream_position(&self) -> i64 {
        // SAFETY: as for `position`.
        unsafe { c::aeron_image_end_of_stream_position(self.raw.as_ptr()) }
    }

    /// Whether the publisher revoked the stream.
    pub fn is_publication_revoked(&self) -> bool {
        // SAFETY: as for `position`.
        unsafe { c::aeron_image_is_publication_revoked(self.raw.as_ptr()) }
    }

    /// Whether the image is closed.
    pub fn is_closed(&self) -> bool {
        // SAFETY: as for `position`.
        unsafe { c::aeron_image_is_closed(self.raw.as_ptr()) }
    }

    /// Asks the driver to reject this image, with a reason for the publisher.
    pub fn reject(&self, reason: &str) -> Result<(), PeerError> {
        let attempted = || format!("rejecting an image because of: {reason}");
        let reason = c_text(reason, attempted)?;
        let _guard = self.subscription.core.lock();
        // SAFETY: as for `position`; the text is copied by the call.
        check(unsafe { c::aeron_image_reject(self.raw.as_ptr(), reason.as_ptr()) }, attempted).map(drop)
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: the image was retained for this handle, which gives it back once.
        unsafe { c::aeron_image_release(self.raw.as_ptr()) };
    }
}

/// The C client's reassembly of fragmented messages, for [`Subscription::poll`].
#[derive(Debug)]
pub struct FragmentAssembler {
    raw: NonNull<c::aeron_fragment_assembler_t>,
    /// Holds the handler of the current poll. The C object points to it.
    slot: Arc<HandlerSlot>,
}

/// The C client's reassembly of fragmented messages, for [`Subscription::controlled_poll`].
#[derive(Debug)]
pub struct ControlledFragmentAssembler {
    raw: NonNull<c::aeron_controlled_fragment_assembler_t>,
    slot: Arc<HandlerSlot>,
}

/// A pointer to a handler, valid during a poll and null otherwise. The C object gets a pointer to this slot once, while
/// each poll has a handler of its own.
#[derive(Debug)]
struct HandlerSlot {
    handler: Cell<*mut c_void>,
}

impl HandlerSlot {
    /// Creates a slot whose address stays the same when the handle that owns it is moved.
    #[allow(clippy::arc_with_non_send_sync, reason = "shared with the C object, not with another thread")]
    fn new() -> Arc<Self> {
        Arc::new(Self { handler: Cell::new(ptr::null_mut()) })
    }
}

type WholeHandler<'a> = &'a mut dyn FnMut(Fragment<'_>);
type WholeControlledHandler<'a> = &'a mut dyn FnMut(Fragment<'_>) -> Action;

// SAFETY: the C object is bound to no thread and used through `&mut self` only; the slot is empty between polls.
unsafe impl Send for FragmentAssembler {}
// SAFETY: as for FragmentAssembler.
unsafe impl Send for ControlledFragmentAssembler {}

impl FragmentAssembler {
    /// Creates an empty assembler.
    pub fn new() -> Result<Self, PeerError> {
        let slot = HandlerSlot::new();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a place for the pointer that the call stores; the slot lives as long as the C object.
        let returned = unsafe {
            c::aeron_fragment_assembler_create(&mut raw, Some(deliver_whole), Arc::as_ptr(&slot).cast_mut().cast())
        };
        check(returned, || "making a fragment assembler".into())?;
        Ok(Self { raw: NonNull::new(raw).expect("an assembler made without an error"), slot })
    }

    /// Delivers whole messages from at most `limit` fragments. Returns the number of fragments.
    pub fn poll(&mut self, subscription: &Subscription, mut handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        let mut handler: WholeHandler<'_> = &mut handler;
        self.slot.handler.set((&raw mut handler).cast());
        let (assembler, assemble) = (self.raw.as_ptr(), c::aeron_fragment_assembler_handler);
        let read = subscription.poll(
            |fragment| {
                let payload = fragment.payload;
                // SAFETY: assembler and fragment are alive, and the slot holds the handler of this poll.
                unsafe { assemble(assembler.cast(), payload.as_ptr(), payload.len(), fragment.header.as_ptr()) };
            },
            limit,
        );
        self.slot.handler.set(ptr::null_mut());
        read
    }
}

impl ControlledFragmentAssembler {
    /// Creates an empty assembler.
    pub fn new() -> Result<Self, PeerError> {
        let slot = HandlerSlot::new();
        let mut raw = ptr::null_mut();
        let callback = Some(deliver_whole_controlled as ControlledCallback);
        // SAFETY: `raw` is a place for the pointer that the call stores; the slot lives as long as the C object.
        let returned = unsafe {
            c::aeron_controlled_fragment_assembler_create(&mut raw, callback, Arc::as_ptr(&slot).cast_mut().cast())
        };
        check(returned, || "making a controlled fragment assembler".into())?;
        Ok(Self { raw: NonNull::new(raw).expect("an assembler made without an error"), slot })
    }

    /// Delivers whole messages from at most `limit` fragments. The handler decides after each message how to continue.
    /// Returns the number of fragments.
    pub fn poll(
        &mut self,
        subscription: &Subscription,
        mut handler: impl FnMut(Fragment<'_>) -> Action,
        limit: usize,
    ) -> usize {
        let mut handler: WholeControlledHandler<'_> = &mut handler;
        self.slot.handler.set((&raw mut handler).cast());
        let (assembler, assemble) = (self.raw.as_ptr(), c::aeron_controlled_fragment_assembler_handler);
        let read = subscription.controlled_poll(
            |fragment| {
                let (payload, header) = (fragment.payload, fragment.header.as_ptr());
                // SAFETY: assembler and fragment are alive, and the slot holds the handler of this poll.
                Action::from_c(unsafe { assemble(assembler.cast(), payload.as_ptr(), payload.len(), header) })
            },
            limit,
        );
        self.slot.handler.set(ptr::null_mut());
        read
    }
}

impl Drop for FragmentAssembler {
    fn drop(&mut self) {
        // SAFETY: the C object belongs to this handle.
        unsafe { c::aeron_fragment_assembler_delete(self.raw.as_ptr()) };
    }
}

impl Drop for ControlledFragmentAssembler {
    fn drop(&mut self) {
        // SAFETY: the C object belongs to this handle.
        unsafe { c::aeron_controlled_fragment_assembler_delete(self.raw.as_ptr()) };
    }
}

type Callback = unsafe extern "C-unwind" fn(*mut c_void, *const u8, usize, *mut c::aeron_header_t);
type ControlledCallback = unsafe extern "C-unwind" fn(
    *mut c_void,
    *const u8,
    usize,
    *mut c::aeron_header_t,
) -> c::aeron_controlled_fragment_handler_action_t;

unsafe extern "C-unwind" fn deliver<F: FnMut(Fragment<'_>)>(
    handler: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut c::aeron_header_t,
) {
    // SAFETY: whoever passes this callback passes a pointer to an `F` with it, which is borrowed for the poll.
    unsafe { (*handler.cast::<F>())(Fragment::from_callback(buffer, length, header)) }
}

unsafe extern "C-unwind" fn deliver_controlled<F: FnMut(Fragment<'_>) -> Action>(
    handler: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut c::aeron_header_t,
) -> c::aeron_controlled_fragment_handler_action_t {
    // SAFETY: as for `deliver`.
    unsafe { (*handler.cast::<F>())(Fragment::from_callback(buffer, length, header)).into_c() }
}

unsafe extern "C-unwind" fn deliver_block<F: FnMut(&[u8], i32, i32)>(
    handler: *mut c_void,
    buffer: *const u8,
    length: usize,
    session_id: i32,
    term_id: i32,
) {
    // SAFETY: as for `deliver`; `length` bytes are readable for the length of the callback.
    unsafe { (*handler.cast::<F>())(slice::from_raw_parts(buffer, length), session_id, term_id) }
}

unsafe extern "C-unwind" fn deliver_whole(
    slot: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut c::aeron_header_t,
) {
    // SAFETY: the assembler passes its slot, in which its `poll` has put a pointer to a `WholeHandler`.
    unsafe {
        let handler = (*slot.cast::<HandlerSlot>()).handler.get().cast::<WholeHandler<'_>>();
        (*handler)(Fragment::from_callback(buffer, length, header));
    }
}

unsafe extern "C-unwind" fn deliver_whole_controlled(
    slot: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut c::aeron_header_t,
) -> c::aeron_controlled_fragment_handler_action_t {
    // SAFETY: as for `deliver_whole`, with a `WholeControlledHandler`.
    unsafe {
        let handler = (*slot.cast::<HandlerSlot>()).handler.get().cast::<WholeControlledHandler<'_>>();
        (*handler)(Fragment::from_callback(buffer, length, header)).into_c()
    }
}

/// The count returned by a call that fails only for null arguments, which this wrapper never passes.
#[inline]
fn delivered(count: c_int) -> usize {
    usize::try_from(count).expect("a call with all its arguments does not fail")
}
