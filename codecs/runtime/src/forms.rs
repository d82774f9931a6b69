//! How owned forms are serialised with serde. Text becomes text if the bytes are text, an enum becomes the name of its
//! value, and a set becomes the names of its choices; where that does not say everything, the bytes or numbers are
//! written. Formats that are not human-readable get only the numbers and bytes. Called by generated code.

use core::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq as _, Serializer};

use alloc::vec::Vec;

/// An integer type that enums and sets are encoded as.
pub trait Bits: Copy + Serialize + TryFrom<i128> + Into<i128> {}

impl<T: Copy + Serialize + TryFrom<i128> + Into<i128>> Bits for T {}

/// Serialises the value of an enum.
///
/// # Errors
///
/// The error of the serializer.
pub fn serialize_enum<S: Serializer>(to: S, name: Option<&str>, number: impl Bits) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) if to.is_human_readable() => to.serialize_str(name),
        _ => number.serialize(to),
    }
}

/// Deserialises the value of an enum: a name that the enum has, or a number.
///
/// # Errors
///
/// The error of the deserializer, a name that the enum does not have, or a number that does not fit.
pub fn deserialize_enum<'de, D: Deserializer<'de>, T: Bits + Deserialize<'de>>(
    from: D,
    number: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    if !from.is_human_readable() {
        return T::deserialize(from);
    }
    let value = from.deserialize_any(NameOrNumber(|name: &str| number(name).map(Into::into)))?;
    T::try_from(value).map_err(|_| de::Error::custom("a number that its type cannot hold"))
}

/// Serialises a set: the names of its choices, then a number for the bits without a name.
///
/// # Errors
///
/// The error of the serializer.
pub fn serialize_set<S: Serializer>(to: S, choices: &[(&str, i128)], bits: impl Bits) -> Result<S::Ok, S::Error> {
    if !to.is_human_readable() {
        return bits.serialize(to);
    }
    let bits: i128 = bits.into();
    let mut list = to.serialize_seq(None)?;
    let mut unnamed = bits;
    for (name, mask) in choices.iter().filter(|(_, mask)| bits & mask == *mask) {
        list.serialize_element(name)?;
        unnamed &= !mask;
    }
    if let Ok(unnamed) = u64::try_from(unnamed) {
        if unnamed != 0 {
            list.serialize_element(&unnamed)?;
        }
    } else if let Ok(unnamed) = i64::try_from(unnamed) {
        list.serialize_element(&unnamed)?;
    }
    list.end()
}

/// Deserialises a set: names of its choices, and numbers for bits.
///
/// # Errors
///
/// The error of the deserializer, a name that the set does not have, or a number that does not fit.
pub fn deserialize_set<'de, D: Deserializer<'de>, T: Bits + Deserialize<'de>>(
    from: D,
    choices: &[(&str, i128)],
) -> Result<T, D::Error> {
    struct Choices<'c>(&'c [(&'c str, i128)]);

    impl<'de> Visitor<'de> for Choices<'_> {
        type Value = i128;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("names of a set's choices")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<i128, A::Error> {
            struct Choice<'c>(&'c [(&'c str, i128)]);

            impl<'de> de::DeserializeSeed<'de> for Choice<'_> {
                type Value = i128;

                fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<i128, D::Error> {
                    let mask = |name: &str| self.0.iter().find(|(known, _)| *known == name).map(|(_, mask)| *mask);
                    from.deserialize_any(NameOrNumber(mask))
                }
            }

            let mut bits = 0;
            while let Some(mask) = list.next_element_seed(Choice(self.0))? {
                bits |= mask;
            }
            Ok(bits)
        }
    }

    if !from.is_human_readable() {
        return T::deserialize(from);
    }
    let bits = from.deserialize_seq(Choices(choices))?;
    T::try_from(bits).map_err(|_| de::Error::custom("bits that the set cannot hold"))
}

/// A visitor that accepts a number, or a name that stands for one.
struct NameOrNumber<F>(F);

impl<F: Fn(&str) -> Option<i128>> Visitor<'_> for NameOrNumber<F> {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a number")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<i128, E> {
        (self.0)(name).ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &"a name that the schema has"))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i128, E> {
        Ok(number.into())
    }
}

/// A visitor that accepts bytes, which may come as text.
struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

fn deserialize_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    if from.is_human_readable() { from.deserialize_any(Bytes) } else { from.deserialize_bytes(Bytes) }
}

/// Variable-length data that is text according to the schema.
pub mod data {
    use super::*;

    /// Serialises the data as text, or as bytes if it is not text.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer>(data: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(data) {
            Ok(text) if to.is_human_readable() => to.serialize_str(text),
            _ if to.is_human_readable() => data.serialize(to),
            _ => to.serialize_bytes(data),
        }
    }

    /// Deserialises text or bytes.
    ///
    /// # Errors
    ///
    /// The error of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        deserialize_bytes(from)
    }
}

/// Text of fixed length: the bytes before the NULs at its end.
pub mod text {
    use super::*;

    /// Serialises the field as text, or all of it as bytes if it is not text.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, const N: usize>(field: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
        let length = N - field.iter().rev().take_while(|&&byte| byte == 0).count();
        match core::str::from_utf8(&field[..length]) {
            Ok(text) if to.is_human_readable() => to.serialize_str(text),
            _ if to.is_human_readable() => field[..].serialize(to),
            _ => to.serialize_bytes(field),
        }
    }

    /// Deserialises text or bytes, and pads them with NULs.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or more bytes than the field has.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
        let bytes = deserialize_bytes(from)?;
        let mut field = [0; N];
        match field.get_mut(..bytes.len()) {
            Some(start) => start.copy_from_slice(&bytes),
            None => return Err(de::Error::invalid_length(bytes.len(), &"text that fits its field")),
        }
        Ok(field)
    }
}

/// Text of fixed length that older writers do not send.
pub mod optional_text {
    use super::*;

    /// Serialises the field, if it was sent, as text, or all of it as bytes if it is not text.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, const N: usize>(field: &Option<[u8; N]>, to: S) -> Result<S::Ok, S::Error> {
        struct Text<'a, const N: usize>(&'a [u8; N]);

        impl<const N: usize> Serialize for Text<'_, N> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                text::serialize(self.0, to)
            }
        }

        field.as_ref().map(Text).serialize(to)
    }

    /// Deserialises text or bytes, if there are any.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or more bytes than the field has.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Option<[u8; N]>, D::Error> {
        struct Text<const N: usize>([u8; N]);

        impl<'de, const N: usize> Deserialize<'de> for Text<N> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                text::deserialize(from).map(Self)
            }
        }

        Ok(Option::<Text<N>>::deserialize(from)?.map(|text| text.0))
    }
}

/// Arrays of any fixed length; serde itself supports at most 32 elements.
pub mod array {
    use super::*;

    /// Serialises the numbers.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Serialize, const N: usize>(field: &[T; N], to: S) -> Result<S::Ok, S::Error> {
        field[..].serialize(to)
    }

    /// Deserialises as many numbers as the field has.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or a different count of numbers.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
        from: D,
    ) -> Result<[T; N], D::Error> {
        let numbers = Vec::<T>::deserialize(from)?;
        let found = numbers.len();
        <[T; N]>::try_from(numbers).map_err(|_| de::Error::invalid_length(found, &"as many numbers as the field has"))
    }
}

/// Arrays of fixed length that older writers do not send.
pub mod optional_array {
    use super::*;

    /// Serialises the numbers, if they were sent.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Serialize, const N: usize>(
        field: &Option<[T; N]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        field.as_ref().map(|field| &field[..]).serialize(to)
    }

    /// Deserialises as many numbers as the field has, if there are any.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or a different count of numbers.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
        from: D,
    ) -> Result<Option<[T; N]>, D::Error> {
        struct Numbers<T, const N: usize>([T; N]);

        impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Numbers<T, N> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                array::deserialize(from).map(Self)
            }
        }

        Ok(Option::<Numbers<T, N>>::deserialize(from)?.map(|numbers| numbers.0))
    }
}

/// A float type.
pub trait Float: Copy + Serialize + Into<f64> {
    #[doc(hidden)]
    fn nearest_to(value: f64) -> Self;
}

impl Float for f32 {
    fn nearest_to(value: f64) -> Self {
        value as Self
    }
}

impl Float for f64 {
    fn nearest_to(value: f64) -> Self {
        value
    }
}

/// A float as it is serialised: as a number, or as a word if it is none, since JSON has no number for that.
struct Real<T>(T);

impl<T: Float> Serialize for Real<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let value: f64 = self.0.into();
        if value.is_finite() || !to.is_human_readable() {
            return self.0.serialize(to);
        }
        to.serialize_str(match value {
            f64::INFINITY => "Infinity",
            f64::NEG_INFINITY => "-Infinity",
            _ => "NaN",
        })
    }
}

impl<'de, T: Float + Deserialize<'de>> Deserialize<'de> for Real<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrWord;

        impl Visitor<'_> for NumberOrWord {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or NaN, Infinity or -Infinity in quotes")
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
                Ok(number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<f64, E> {
                Ok(number as f64)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
                Ok(number as f64)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<f64, E> {
                match word {
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    "NaN" => Ok(f64::NAN),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }

        if from.is_human_readable() {
            from.deserialize_any(NumberOrWord).map(|value| Self(T::nearest_to(value)))
        } else {
            T::deserialize(from).map(Self)
        }
    }
}

/// A float.
pub mod float {
    use super::*;

    /// Serialises the float as a number, or as a word if it is none.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Float>(field: &T, to: S) -> Result<S::Ok, S::Error> {
        Real(*field).serialize(to)
    }

    /// Deserialises a number or a word.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or another word.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Float + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
        Real::deserialize(from).map(|real| real.0)
    }
}

/// An optional float.
pub mod optional_float {
    use super::*;

    /// Serialises the float, if there is one, as a number, or as a word if it is none.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Float>(field: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        field.map(Real).serialize(to)
    }

    /// Deserialises a number or a word, if there is one.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, or another word.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Float + Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Ok(Option::<Real<T>>::deserialize(from)?.map(|real| real.0))
    }
}

/// An array of floats.
pub mod float_array {
    use super::*;

    /// Serialises each float as a number, or as a word if it is none.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Float, const N: usize>(field: &[T; N], to: S) -> Result<S::Ok, S::Error> {
        array::serialize(&field.map(Real), to)
    }

    /// Deserialises as many numbers or words as the field has.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, another word, or a different count of them.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Float + Deserialize<'de>, const N: usize>(
        from: D,
    ) -> Result<[T; N], D::Error> {
        array::deserialize::<D, Real<T>, N>(from).map(|reals| reals.map(|real| real.0))
    }
}

/// An array of floats that older writers do not send.
pub mod optional_float_array {
    use super::*;

    /// Serialises each float, if they were sent, as a number, or as a word if it is none.
    ///
    /// # Errors
    ///
    /// The error of the serializer.
    pub fn serialize<S: Serializer, T: Float, const N: usize>(
        field: &Option<[T; N]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        optional_array::serialize(&field.map(|field| field.map(Real)), to)
    }

    /// Deserialises as many numbers or words as the field has, if there are any.
    ///
    /// # Errors
    ///
    /// The error of the deserializer, another word, or a different count of them.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Float + Deserialize<'de>, const N: usize>(
        from: D,
    ) -> Result<Option<[T; N]>, D::Error> {
        let reals = optional_array::deserialize::<D, Real<T>, N>(from)?;
        Ok(reals.map(|reals| reals.map(|real| real.0)))
    }
}
