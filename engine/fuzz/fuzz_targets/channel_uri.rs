//! Parses arbitrary bytes as a channel URI. They are parsed, or refused with a code that clients know; a parsed URI can
//! be built again.
#![no_main]

use gannet::channel_uri::{ChannelUri, ChannelUriBuilder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match ChannelUri::parse_bytes(bytes) {
        Ok(uri) => {
            assert_eq!(uri.text().as_bytes(), bytes);
            let again = ChannelUriBuilder::from(&uri).build().expect("what was parsed can be built");
            assert_eq!(again.params(), uri.params());
        }
        Err(error) => assert!(matches!(error.error_code().get(), 1 | 11), "{error}"),
    }
});
