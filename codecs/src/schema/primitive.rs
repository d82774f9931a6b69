//! The eleven primitive types, and the numbers written in a schema. Used by every part of the compiler.

use std::fmt;

/// A primitive type of SBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are SBE's")]
pub enum Primitive {
    Char,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float,
    Double,
}

/// The byte order of multi-byte values, the same for a whole schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are SBE's")]
pub enum ByteOrder {
    #[default]
    LittleEndian,
    BigEndian,
}

/// Whether a field is required, optional, or constant and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are SBE's")]
pub enum Presence {
    #[default]
    Required,
    Optional,
    Constant,
}

/// A number of some primitive type. `Int` holds integers of every width, `Float` both float types.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A value of an integer type or of `char`.
    Int(i128),
    /// A value of `float` or `double`. A `float` is represented exactly.
    Float(f64),
}

impl PartialEq for Number {
    /// Compares as SBE compares with null: every NaN equals every NaN, unlike in IEEE 754.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            _ => false,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl Number {
    /// The integer, or `None` for a float.
    #[must_use]
    pub fn as_int(self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(value),
            Self::Float(_) => None,
        }
    }
}

impl Primitive {
    /// All primitives.
    pub const ALL: [Self; 11] = [
        Self::Char,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Float,
        Self::Double,
    ];

    /// The name in a schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Char => "char",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float => "float",
            Self::Double => "double",
        }
    }

    /// The primitive called `name` in schemas.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|primitive| primitive.name() == name)
    }

    /// The size on the wire in bytes.
    #[must_use]
    pub fn size(self) -> u32 {
        match self {
            Self::Char | Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float => 4,
            Self::Int64 | Self::UInt64 | Self::Double => 8,
        }
    }

    /// Whether it is one of the four unsigned integers. `char` is not.
    #[must_use]
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64)
    }

    /// Whether it is one of the four signed integers. `char` is not.
    #[must_use]
    pub fn is_signed(self) -> bool {
        self.range().0 < 0
    }

    /// Whether it is `float` or `double`.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// The range of values that the bytes can hold, for integers and `char`.
    #[must_use]
    pub fn range(self) -> (i128, i128) {
        match self {
            Self::Char | Self::UInt8 => (0, u8::MAX.into()),
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN.into(), i64::MAX.into()),
            Self::UInt16 => (0, u16::MAX.into()),
            Self::UInt32 => (0, u32::MAX.into()),
            Self::UInt64 => (0, u64::MAX.into()),
            Self::Float | Self::Double => (0, 0),
        }
    }

    /// The least value, unless the schema gives another.
    #[must_use]
    pub fn min(self) -> Number {
        match self {
            Self::Char => Number::Int(0x20),
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 => Number::Int(self.range().0 + 1),
            Self::Float => Number::Float((-f32::MAX).into()),
            Self::Double => Number::Float(-f64::MAX),
            _ => Number::Int(0),
        }
    }

    /// The greatest value, unless the schema gives another.
    #[must_use]
    pub fn max(self) -> Number {
        match self {
            Self::Char => Number::Int(0x7E),
            Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64 => Number::Int(self.range().1 - 1),
            Self::Float => Number::Float(f32::MAX.into()),
            Self::Double => Number::Float(f64::MAX),
            _ => Number::Int(self.range().1),
        }
    }

    /// The value that means "none", unless the schema gives another.
    #[must_use]
    pub fn null(self) -> Number {
        match self {
            Self::Char => Number::Int(0),
            Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64 => Number::Int(self.range().1),
            Self::Float | Self::Double => Number::Float(f64::NAN),
            _ => Number::Int(self.range().0),
        }
    }

    /// Parses a number as schemas write it. For `char`, the text is the character itself.
    pub(crate) fn parse(self, text: &str) -> Result<Number, String> {
        if self == Self::Char {
            let mut characters = text.chars();
            return match (characters.next(), characters.next()) {
                (Some(c), None) if c.is_ascii() => Ok(Number::Int(i128::from(u32::from(c)))),
                (Some(c), None) => Err(format!("`{c}` is not an ASCII character")),
                (None, _) => Err("a character is missing".into()),
                _ => Err(format!("`{text}` is not a single character")),
            };
        }
        let text = text.trim();
        if self.is_float() {
            return self.parse_float(text);
        }
        let value: i128 = text.parse().map_err(|_| format!("`{text}` is not a decimal integer"))?;
        let (least, greatest) = self.range();
        if value < least || value > greatest {
            return Err(format!("{value} is outside {}, which holds {least} to {greatest}", self.name()));
        }
        Ok(Number::Int(value))
    }

    fn parse_float(self, text: &str) -> Result<Number, String> {
        let wrong = || format!("`{text}` is not a {}", self.name());
        // The official tool parses floats as Java does, which allows a suffix.
        let digits = text
            .strip_suffix(['f', 'F', 'd', 'D'])
            .filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit() || c == '.'));
        let digits = digits.unwrap_or(text);
        let named = matches!(digits.trim_start_matches(['+', '-']), "NaN" | "Infinity");
        if !named && !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')) {
            return Err(wrong());
        }
        if digits.ends_with("NaN") {
            return Ok(Number::Float(f64::NAN));
        }
        let value = if self == Self::Float {
            digits.parse::<f32>().map(f64::from).map_err(|_| wrong())?
        } else {
            digits.parse::<f64>().map_err(|_| wrong())?
        };
        if value.is_infinite() && !named {
            return Err(format!("{digits} is outside {}", self.name()));
        }
        Ok(Number::Float(value))
    }

    /// Reads the value at the start of `bytes`. `None` when there are too few bytes.
    #[must_use]
    #[inline]
    pub fn read(self, bytes: &[u8], order: ByteOrder) -> Option<Number> {
        fn take<const N: usize>(bytes: &[u8], order: ByteOrder) -> Option<[u8; N]> {
            let mut chunk = *bytes.first_chunk::<N>()?;
            if order == ByteOrder::BigEndian {
                chunk.reverse();
            }
            Some(chunk)
        }
        Some(match self {
            Self::Char | Self::UInt8 => Number::Int((*bytes.first()?).into()),
            Self::Int8 => Number::Int(i8::from_le_bytes(take(bytes, order)?).into()),
            Self::Int16 => Number::Int(i16::from_le_bytes(take(bytes, order)?).into()),
            Self::Int32 => Number::Int(i32::from_le_bytes(take(bytes, order)?).into()),
            Self::Int64 => Number::Int(i64::from_le_bytes(take(bytes, order)?).into()),
            Self::UInt16 => Number::Int(u16::from_le_bytes(take(bytes, order)?).into()),
            Self::UInt32 => Number::Int(u32::from_le_bytes(take(bytes, order)?).into()),
            Self::UInt64 => Number::Int(u64::from_le_bytes(take(bytes, order)?).into()),
            Self::Float => Number::Float(f32::from_le_bytes(take(bytes, order)?).into()),
            Self::Double => Number::Float(f64::from_le_bytes(take(bytes, order)?)),
        })
    }

    /// Writes a value to the start of `bytes`.
    ///
    /// # Errors
    ///
    /// The number is of the other kind or out of range, or `bytes` is too short. Nothing is written then.
    pub fn write(self, number: Number, bytes: &mut [u8], order: ByteOrder) -> Result<(), WriteError> {
        let mut raw = [0; 8];
        let size = self.size() as usize;
        match (self, number) {
            (Self::Float, Number::Float(value)) => raw[..4].copy_from_slice(&(value as f32).to_le_bytes()),
            (Self::Double, Number::Float(value)) => raw.copy_from_slice(&value.to_le_bytes()),
            (Self::Float | Self::Double, Number::Int(_)) | (_, Number::Float(_)) => return Err(WriteError::Kind),
            (_, Number::Int(value)) => {
                let (least, greatest) = self.range();
                if value < least || value > greatest {
                    return Err(WriteError::Range);
                }
                raw.copy_from_slice(&value.to_le_bytes()[..8]);
            }
        }
        if order == ByteOrder::BigEndian {
            raw[..size].reverse();
        }
        bytes.get_mut(..size).ok_or(WriteError::Short)?.copy_from_slice(&raw[..size]);
        Ok(())
    }
}

/// Why a number was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The number is a float and the type an integer, or the reverse.
    Kind,
    /// The type cannot hold the value.
    Range,
    /// The buffer ends before the value.
    Short,
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_11_char_values_are_characters() {
        assert_eq!(Primitive::Char.parse("0"), Ok(Number::Int(0x30)));
        assert!(Primitive::Char.parse("10").is_err());
        assert!(Primitive::Char.parse("").is_err());
    }

    #[test]
    fn numbers_outside_the_type_are_refused_and_blanks_are_not() {
        assert_eq!(Primitive::UInt8.parse(" 255 "), Ok(Number::Int(255)));
        assert!(Primitive::UInt8.parse("-5").is_err());
        assert!(Primitive::UInt8.parse("0x10").is_err());
        assert_eq!(Primitive::UInt64.parse("18446744073709551615"), Ok(Number::Int(u64::MAX.into())));
        assert_eq!(Primitive::Double.parse("1e10d"), Ok(Number::Float(1e10)));
        assert_eq!(Primitive::Float.parse("NaN"), Ok(Number::Float(f64::NAN)));
        assert!(Primitive::Float.parse("wide").is_err());
        assert!(Primitive::Float.parse("1e39").is_err() && Primitive::Double.parse("1e39").is_ok());
        assert_eq!(Primitive::Double.parse("-Infinity"), Ok(Number::Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn written_numbers_read_back_in_both_orders() {
        for primitive in Primitive::ALL {
            for order in [ByteOrder::LittleEndian, ByteOrder::BigEndian] {
                for number in [primitive.min(), primitive.max(), primitive.null()] {
                    let mut bytes = [0xAA; 8];
                    primitive.write(number, &mut bytes, order).expect("the buffer is long enough");
                    assert_eq!(primitive.read(&bytes, order), Some(number), "{primitive}");
                    assert!(bytes[primitive.size() as usize..].iter().all(|&byte| byte == 0xAA));
                }
            }
        }
    }
}
