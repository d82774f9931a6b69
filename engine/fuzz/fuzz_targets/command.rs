//! Decodes arbitrary bytes as a command from a client. They are decoded or refused; a decoded command encodes to the
//! same command again.
#![no_main]

use gannet::command::Command;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i32, &[u8])| {
    let (type_id, bytes) = input;
    // Type ids of commands are small numbers.
    let type_id = if type_id < 0 { type_id } else { type_id % 0x20 };
    let Ok(command) = Command::decode(type_id, bytes) else { return };
    let mut encoded = vec![0; command.encoded_length()];
    let length = command.encode(&mut encoded).expect("a buffer of the length that it asked for");
    assert_eq!(Command::decode(command.type_id(), &encoded[..length]).as_ref(), Ok(&command));
});
