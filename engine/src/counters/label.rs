//! A counter's label: text for people, which tools also parse. Longer text is clipped without an error.

use core::fmt;

/// The maximum length of a label in bytes.
pub(super) const LABEL_LENGTH: usize = 380;

/// The text of a label, at most 380 bytes. Implements [`fmt::Write`]. Text that does not fit is dropped.
#[derive(Clone)]
pub struct CounterLabel {
    bytes: [u8; LABEL_LENGTH],
    length: usize,
}

impl CounterLabel {
    /// The maximum length of a label in bytes.
    pub const MAX_LENGTH: usize = LABEL_LENGTH;

    /// A label with this text, clipped to the maximum length.
    pub fn new(text: &[u8]) -> Self {
        let mut label = Self::default();
        label.push(text);
        label
    }

    /// A label with this text, clipped to the maximum length.
    pub fn format(text: fmt::Arguments<'_>) -> Self {
        let mut label = Self::default();
        // Cannot fail, because text that does not fit is dropped.
        let _ = fmt::Write::write_fmt(&mut label, text);
        label
    }

    /// Appends text, as much of it as fits.
    pub fn push(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(LABEL_LENGTH - self.length)];
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }

    /// The text's bytes. ASCII from drivers, arbitrary bytes from applications.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The name of a stream or channel counter: the label up to the first colon.
    pub fn name(&self) -> &[u8] {
        let bytes = self.as_bytes();
        bytes.split(|&byte| byte == b':').next().unwrap_or(bytes)
    }

    pub(super) fn fill(length: usize, read: impl FnOnce(&mut [u8])) -> Self {
        let mut label = Self { length: length.min(LABEL_LENGTH), ..Self::default() };
        read(&mut label.bytes[..label.length]);
        label
    }
}

impl Default for CounterLabel {
    fn default() -> Self {
        Self { bytes: [0; LABEL_LENGTH], length: 0 }
    }
}

impl PartialEq for CounterLabel {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for CounterLabel {}

impl fmt::Write for CounterLabel {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for CounterLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for CounterLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}
