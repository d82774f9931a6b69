//! UNSAFE FENCE: counters of the C client: those that it added, and all counters as it reads them.
#![allow(unsafe_code, reason = "calls of the C client, and counter values in shared memory")]

use super::{ANSWER_TIMEOUT, Client, ClientCore, check};
use crate::error::PeerError;
use rusteron_client::bindings as c;
use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A counter that this client added.
#[derive(Debug)]
pub struct Counter {
    raw: NonNull<c::aeron_counter_t>,
    core: Arc<ClientCore>,
}

// SAFETY: the C object is bound to no thread, and its value is only touched by atomic operations.
unsafe impl Send for Counter {}
// SAFETY: as for Send.
unsafe impl Sync for Counter {}

/// One allocated counter as read by the C client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRecord {
    /// The counter id.
    pub id: i32,
    /// The type id.
    pub type_id: i32,
    /// The value.
    pub value: i64,
    /// The registration id.
    pub registration_id: i64,
    /// The owner's client id, or -1.
    pub owner_id: i64,
    /// The reference id.
    pub reference_id: i64,
    /// The key's 112 bytes.
    pub key: Vec<u8>,
    /// The label.
    pub label: String,
}

impl Client {
    /// Adds a counter and waits for the driver's answer.
    pub fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Counter, PeerError> {
        self.add(type_id, key, label, None)
    }

    /// Adds or finds the static counter of this type and registration id, and waits for the driver's answer.
    pub fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Counter, PeerError> {
        self.add(type_id, key, label, Some(registration_id))
    }

    /// All allocated counters, in order of their ids.
    pub fn counters(&self) -> Vec<CounterRecord> {
        let mut records: Vec<CounterRecord> = Vec::new();
        // SAFETY: the reader belongs to the client, which is open until the core is dropped; the callback is given the
        // vector and uses it during the call only.
        unsafe {
            let reader = c::aeron_counters_reader(self.core.client.as_ptr());
            c::aeron_counters_reader_foreach_counter(reader, Some(collect), (&raw mut records).cast());
            for record in &mut records {
                c::aeron_counters_reader_counter_registration_id(reader, record.id, &mut record.registration_id);
                c::aeron_counters_reader_counter_owner_id(reader, record.id, &mut record.owner_id);
                c::aeron_counters_reader_counter_reference_id(reader, record.id, &mut record.reference_id);
            }
        }
        records
    }

    /// The counter with that id. `None` if it is not allocated.
    pub fn counter(&self, id: i32) -> Option<CounterRecord> {
        self.counters().into_iter().find(|record| record.id == id)
    }

    fn add(&self, type_id: i32, key: &[u8], label: &str, registration: Option<i64>) -> Result<Counter, PeerError> {
        let attempted = || format!("adding a counter of type {type_id} labelled {label:?}");
        let client = self.core.client.as_ptr();
        let (label_text, label_length) = (label.as_ptr().cast::<c_char>(), label.len());
        let (mut pending, mut raw) = (ptr::null_mut(), ptr::null_mut());
        let guard = self.core.lock();
        // SAFETY: the client is open, key and label are copied by the call, and `pending` takes the pointer it stores.
        let returned = unsafe {
            match registration {
                None => c::aeron_async_add_counter(
                    &mut pending,
                    client,
                    type_id,
                    key.as_ptr(),
                    key.len(),
                    label_text,
                    label_length,
                ),
                Some(registration_id) => c::aeron_async_add_static_counter(
                    &mut pending,
                    client,
                    type_id,
                    key.as_ptr(),
                    key.len(),
                    label_text,
                    label_length,
                    registration_id,
                ),
            }
        };
        check(returned, attempted)?;
        drop(guard);
        // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
        self.core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe {
            c::aeron_async_add_counter_poll(&mut raw, pending)
        })?;
        Ok(Counter { raw: NonNull::new(raw).expect("an answered request"), core: Arc::clone(&self.core) })
    }
}

impl Counter {
    /// The value.
    pub fn get(&self) -> i64 {
        self.value().load(Ordering::Acquire)
    }

    /// Stores a value.
    pub fn set(&self, value: i64) {
        self.value().store(value, Ordering::Release);
    }

    /// The counter id.
    pub fn id(&self) -> i32 {
        self.constants().counter_id
    }

    /// The registration id.
    pub fn registration_id(&self) -> i64 {
        self.constants().registration_id
    }

    /// Whether the counter was closed, by the application or by the client.
    pub fn is_closed(&self) -> bool {
        // SAFETY: the C object is alive as long as `self`.
        unsafe { c::aeron_counter_is_closed(self.raw.as_ptr()) }
    }

    fn constants(&self) -> c::aeron_counter_constants_t {
        // SAFETY: the struct is plain data for which zero is a value, and the call fills it in.
        unsafe {
            let mut constants: c::aeron_counter_constants_t = std::mem::zeroed();
            c::aeron_counter_constants(self.raw.as_ptr(), &mut constants);
            constants
        }
    }

    fn value(&self) -> &AtomicI64 {
        // SAFETY: the address is an aligned i64 in the mapped values, mapped as long as the client is open, and every
        // process touches it by atomic operations.
        unsafe { AtomicI64::from_ptr(c::aeron_counter_addr(self.raw.as_ptr())) }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _guard = self.core.lock();
        // SAFETY: the C object belongs to this handle; the C client frees it once its conductor has closed it.
        unsafe { c::aeron_counter_close(self.raw.as_ptr(), None, ptr::null_mut()) };
    }
}

unsafe extern "C" fn collect(
    value: i64,
    id: i32,
    type_id: i32,
    key: *const u8,
    key_length: usize,
    label: *const c_char,
    label_length: usize,
    records: *mut c_void,
) {
    // SAFETY: `counters` passes its vector; key and label are readable for the length of the call.
    unsafe {
        let label = slice::from_raw_parts(label.cast::<u8>(), label_length);
        (*records.cast::<Vec<CounterRecord>>()).push(CounterRecord {
            id,
            type_id,
            value,
            registration_id: 0,
            owner_id: 0,
            reference_id: 0,
            key: slice::from_raw_parts(key, key_length).to_vec(),
            label: String::from_utf8_lossy(label).into_owned(),
        });
    }
}
