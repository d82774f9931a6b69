//! Decodes arbitrary bytes as an event from the driver. They are decoded or refused; a decoded event encodes to the
//! same event again.
#![no_main]

use gannet::command::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (type_id, bytes) = input;
    let Ok(event) = Event::decode(0x0F00 + i32::from(type_id % 0x10), bytes) else { return };
    let mut encoded = vec![0; event.encoded_length()];
    let length = event.encode(&mut encoded).expect("a buffer of the length that it asked for");
    assert_eq!(Event::decode(event.type_id(), &encoded[..length]).as_ref(), Ok(&event));
});
