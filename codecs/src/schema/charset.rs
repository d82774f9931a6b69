//! Character encodings, as far as they need no tables: converts text to bytes and back. Used by the compiler for
//! constants, by the dynamic codec and by the generator.

/// How text in a character encoding is converted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// UTF-8.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// ASCII. Also used for encodings that would need a table, for their ASCII part.
    Ascii,
}

impl Charset {
    /// The conversion for an encoding of that name in a schema.
    pub(crate) fn of(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("UTF-8") || is("UTF8") {
            Self::Utf8
        } else if is("ISO-8859-1") || is("LATIN1") {
            Self::Latin1
        } else {
            Self::Ascii
        }
    }
}

/// Encodes text in a character encoding. `None` if that would lose something.
pub(crate) fn encode_text(text: &str, charset: &str) -> Option<Vec<u8>> {
    match Charset::of(charset) {
        Charset::Utf8 => Some(text.as_bytes().to_vec()),
        Charset::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        Charset::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
    }
}

/// Decodes bytes in a character encoding. `None` if that would lose something.
pub(crate) fn decode_text(bytes: &[u8], charset: &str) -> Option<String> {
    match Charset::of(charset) {
        Charset::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Charset::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
        Charset::Ascii => bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect()),
    }
}

/// Whether a name is that of an encoding used in schemas, supported here or not.
pub(super) fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 14] = [
        "ASCII",
        "US-ASCII",
        "UTF-8",
        "UTF8",
        "ISO-8859-1",
        "ISO8859_1",
        "LATIN1",
        "ISO-8859-15",
        "WINDOWS-1252",
        "GB18030",
        "GBK",
        "GB2312",
        "SHIFT_JIS",
        "BIG5",
    ];
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) || name.to_ascii_uppercase().starts_with("UTF-")
}
