//! A text inside a control message: a channel, a label, a file name, an error message.

use core::fmt;
use core::str::Utf8Error;

/// A text as another process wrote it. The bytes should be UTF-8 but are kept verbatim, because the driver returns a
/// channel unchanged and a file name need not be valid text. Formatting replaces invalid bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Wraps the bytes of a text.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, verbatim.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if it is valid UTF-8.
    ///
    /// # Errors
    ///
    /// [`Utf8Error`] if the bytes are not UTF-8.
    pub const fn to_str(self) -> Result<&'a str, Utf8Error> {
        core::str::from_utf8(self.0)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_utf_8_and_prints_it_all_the_same() {
        let text = Text::new(b"aeron:ipc?alias=\xFF");
        assert_eq!(text.as_bytes(), b"aeron:ipc?alias=\xFF");
        assert!(text.to_str().is_err());
        assert_eq!(text.to_string(), "aeron:ipc?alias=\u{FFFD}");
        assert_eq!(Text::from("aeron:ipc").to_str(), Ok("aeron:ipc"));
    }
}
