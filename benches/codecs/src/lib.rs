//! The same two messages, encoded from plain structs and decoded into them by each system: a copy of structs laid out
//! by hand, Gannet, and the published crates. The benchmarks call this crate. Its tests show that all systems write and
//! read the same bytes.

pub mod copy;
pub mod ergo;
pub mod gannet;
pub mod sbe_gen;
pub mod values;

use values::{Car, ROOM, Refresh};

/// A system under test, with the same functions for each.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "as the functions of each module")]
pub struct System {
    pub name: &'static str,
    pub encode_car: fn(&Car<'_>, &mut [u8]) -> Option<usize>,
    pub decode_car: for<'a> fn(&'a [u8], &mut Car<'a>) -> Option<()>,
    pub encode_refresh: fn(&Refresh, &mut [u8]) -> Option<usize>,
    pub decode_refresh: fn(&[u8], &mut Refresh) -> Option<()>,
}

macro_rules! system {
    ($name:literal, $module:ident) => {
        System {
            name: $name,
            encode_car: $module::encode_car,
            decode_car: $module::decode_car,
            encode_refresh: $module::encode_refresh,
            decode_refresh: $module::decode_refresh,
        }
    };
}

/// All systems, the floor first.
pub const SYSTEMS: [System; 5] = [
    system!("copy", copy),
    // The cost of a copy that can read every version.
    System {
        name: "copy by lengths",
        decode_car: copy::decode_any_car,
        decode_refresh: copy::decode_any_refresh,
        ..system!("", copy)
    },
    system!("gannet", gannet),
    system!("ergo-sbe", ergo),
    system!("sbe_gen", sbe_gen),
];

/// An operation to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say what they are")]
pub enum Operation {
    EncodeCar,
    DecodeCar,
    EncodeRefresh,
    DecodeRefresh,
}

/// All operations.
pub const OPERATIONS: [(&str, Operation); 4] = [
    ("car encode", Operation::EncodeCar),
    ("car decode", Operation::DecodeCar),
    ("refresh encode", Operation::EncodeRefresh),
    ("refresh decode", Operation::DecodeRefresh),
];

/// Repeats an operation `count` times.
///
/// # Panics
///
/// When the operation fails.
pub fn repeat(system: &System, operation: Operation, count: u64) {
    let (car, refresh) = (Car::sample(), Refresh::sample());
    let mut buffer = [0; ROOM];
    match operation {
        Operation::EncodeCar => {
            for _ in 0..count {
                let length = (system.encode_car)(std::hint::black_box(&car), std::hint::black_box(&mut buffer));
                std::hint::black_box(length.expect("it fits"));
            }
        }
        Operation::DecodeCar => {
            let length = (system.encode_car)(&car, &mut buffer).expect("it fits");
            let bytes = &buffer[..length];
            let mut car = Car::default();
            for _ in 0..count {
                (system.decode_car)(std::hint::black_box(bytes), &mut car).expect("it is whole");
                std::hint::black_box(&mut car);
            }
        }
        Operation::EncodeRefresh => {
            for _ in 0..count {
                let length = (system.encode_refresh)(std::hint::black_box(&refresh), std::hint::black_box(&mut buffer));
                std::hint::black_box(length.expect("it fits"));
            }
        }
        Operation::DecodeRefresh => {
            let length = (system.encode_refresh)(&refresh, &mut buffer).expect("it fits");
            let bytes = &buffer[..length];
            let mut refresh = Refresh::default();
            for _ in 0..count {
                (system.decode_refresh)(std::hint::black_box(bytes), &mut refresh).expect("it is whole");
                std::hint::black_box(&mut refresh);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_systems_write_and_read_the_same_bytes() {
        let (car, refresh) = (Car::sample(), Refresh::sample());
        let (mut expected_car, mut expected_refresh) = ([0; ROOM], [0; ROOM]);
        let lengths =
            (copy::encode_car(&car, &mut expected_car), copy::encode_refresh(&refresh, &mut expected_refresh));
        let (Some(car_length), Some(refresh_length)) = lengths else { panic!("they fit") };
        assert_eq!((car_length, refresh_length), (8 + 41 + 22 + 50 + 9 + 13, 8 + 11 + 3 + 320 + 8));
        for system in SYSTEMS {
            // Not all of them fill padding.
            let mut bytes = [0; ROOM];
            assert_eq!((system.encode_car)(&car, &mut bytes), Some(car_length), "{}", system.name);
            assert_eq!(bytes, expected_car, "{}", system.name);
            let mut found = Car::default();
            assert_eq!((system.decode_car)(&bytes[..car_length], &mut found), Some(()), "{}", system.name);
            assert_eq!(found, car, "{}", system.name);

            let mut bytes = [0; ROOM];
            assert_eq!((system.encode_refresh)(&refresh, &mut bytes), Some(refresh_length), "{}", system.name);
            assert_eq!(bytes, expected_refresh, "{}", system.name);
            let mut found = Refresh::default();
            assert_eq!((system.decode_refresh)(&bytes[..refresh_length], &mut found), Some(()), "{}", system.name);
            assert_eq!(found, refresh, "{}", system.name);
            // A prefix is refused by whoever looks at all of it.
            assert_eq!((system.decode_refresh)(&bytes[..200], &mut found).is_none(), system.name != "sbe_gen");
        }
    }
}
