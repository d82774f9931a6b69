//! JSON written through a formatter, for generated `Display` implementations. The text is the same as the dynamic
//! decoder's.

use core::fmt::{self, Formatter, Write as _};

/// A value with a JSON form.
pub trait Json {
    /// Writes the value as JSON.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Json for $ty {
            fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

integers! { u8 i8 u16 i16 u32 i32 u64 i64 }

macro_rules! floats {
    ($($ty:ty)*) => {$(
        impl Json for $ty {
            fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
                // NaN means "none" in SBE.
                if self.is_nan() {
                    f.write_str("null")
                } else if self.is_infinite() {
                    f.write_str(if *self > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
                } else {
                    write!(f, "{self}")
                }
            }
        }
    )*};
}

floats! { f32 f64 }

impl<T: Json> Json for Option<T> {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => value.json(f),
            None => f.write_str("null"),
        }
    }
}

impl<T: Json, const N: usize> Json for [T; N] {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut list = List::new(f)?;
        for item in self {
            list.item(item)?;
        }
        list.end()
    }
}

/// A single character.
#[derive(Clone, Copy, Debug)]
pub struct Char(pub u8);

impl Json for Char {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        string(f, core::iter::once(char::from(self.0)))
    }
}

/// How bytes are converted to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Not at all: the bytes are shown in hexadecimal.
    None,
    /// ASCII, or an encoding that extends ASCII and is not supported here. Other bytes are shown in hexadecimal.
    Ascii,
    /// UTF-8.
    Utf8,
    /// ISO 8859-1.
    Latin1,
}

/// Bytes of variable length.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a>(pub &'a [u8], pub Charset);

impl Data<'_> {
    fn is_text(&self) -> bool {
        match self.1 {
            Charset::None => false,
            Charset::Ascii => self.0.is_ascii(),
            Charset::Utf8 => core::str::from_utf8(self.0).is_ok(),
            Charset::Latin1 => true,
        }
    }
}

impl Json for Data<'_> {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.is_text() {
            f.write_str("{\"$hex\":\"")?;
            for byte in self.0 {
                write!(f, "{byte:02x}")?;
            }
            return f.write_str("\"}");
        }
        match (self.1, core::str::from_utf8(self.0)) {
            (Charset::Utf8, Ok(text)) => string(f, text.chars()),
            _ => string(f, self.0.iter().copied().map(char::from)),
        }
    }
}

/// Bytes of fixed length. As text they end at the first NUL.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a [u8], pub Charset);

impl Json for Text<'_> {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        let text = Data(&self.0[..end], self.1);
        // If anything but NULs follows the text, only the bytes show all of the value.
        if text.is_text() && self.0[end..].iter().all(|&byte| byte == 0) {
            text.json(f)
        } else {
            Data(self.0, Charset::None).json(f)
        }
    }
}

/// Text that needs no decoding, such as a name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(pub &'a str);

impl Json for Name<'_> {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        string(f, self.0.chars())
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct Bool(pub bool);

impl Json for Bool {
    fn json(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn string(f: &mut Formatter<'_>, text: impl Iterator<Item = char>) -> fmt::Result {
    f.write_char('"')?;
    for c in text {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Writes an object.
pub struct Object<'f, 'b> {
    f: &'f mut Formatter<'b>,
    first: bool,
}

impl<'f, 'b> Object<'f, 'b> {
    /// Opens an object.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn new(f: &'f mut Formatter<'b>) -> Result<Self, fmt::Error> {
        f.write_char('{')?;
        Ok(Self { f, first: true })
    }

    /// Writes a name and its value.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn field(&mut self, name: &str, value: &impl Json) -> fmt::Result {
        if !core::mem::take(&mut self.first) {
            self.f.write_char(',')?;
        }
        string(self.f, name.chars())?;
        self.f.write_char(':')?;
        value.json(self.f)
    }

    /// Writes a name and its value, if there is a value.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn present(&mut self, name: &str, value: Option<impl Json>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.field(name, &value))
    }

    /// Closes the object.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn end(self) -> fmt::Result {
        self.f.write_char('}')
    }
}

/// Writes a list.
pub struct List<'f, 'b> {
    f: &'f mut Formatter<'b>,
    first: bool,
}

impl<'f, 'b> List<'f, 'b> {
    /// Opens a list.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn new(f: &'f mut Formatter<'b>) -> Result<Self, fmt::Error> {
        f.write_char('[')?;
        Ok(Self { f, first: true })
    }

    /// Writes the next value.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn item(&mut self, value: &impl Json) -> fmt::Result {
        if !core::mem::take(&mut self.first) {
            self.f.write_char(',')?;
        }
        value.json(self.f)
    }

    /// Closes the list.
    ///
    /// # Errors
    ///
    /// The error of the formatter.
    pub fn end(self) -> fmt::Result {
        self.f.write_char(']')
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::fmt;
    use std::string::ToString as _;

    use super::{Json as _, Name};

    struct Shown(&'static str);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            Name(self.0).json(f)
        }
    }

    #[test]
    fn strings_hold_nothing_that_a_terminal_acts_on() {
        assert_eq!(Shown("a\n\u{1b}[2J\u{9b}2J\u{7f}ö").to_string(), r#""a\n\u001b[2J\u009b2J\u007fö""#);
    }
}
