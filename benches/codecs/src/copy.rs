//! The floor: structs laid out by hand like the messages, and copied, with one check of the buffer before each block,
//! group and data. There are two ways to read: one supports a single version of the schema and ignores block lengths;
//! the other uses them, as a reader of other versions must.

use zerocopy::little_endian::{F32, I32, I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::values::{Acceleration, Car, Entry, Fuel, Performance, Refresh};

macro_rules! wire {
    ($(struct $name:ident { $($field:ident: $ty:ty,)* })*) => {$(
        #[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        struct $name { $($field: $ty,)* }
    )*};
}

wire! {
    struct Header { block_length: U16, template_id: U16, schema_id: U16, version: U16, }
    struct CarBlock {
        serial_number: U32,
        model_year: U16,
        available: u8,
        code: u8,
        some_numbers: [I32; 5],
        vehicle_code: [u8; 6],
        extras: u8,
        capacity: U16,
        cylinders: u8,
        manufacturer_code: [u8; 3],
    }
    struct Dimension { block_length: U16, count: U16, }
    struct FuelBlock { speed: U16, mpg: F32, }
    struct AccelerationBlock { mph: U16, seconds: F32, }
    struct RefreshBlock { transact_time: U64, match_event_indicator: u8, padding: [u8; 2], }
    struct SmallDimension { block_length: U16, count: u8, }
    struct EightByteDimension { block_length: U16, padding: [u8; 5], count: u8, }
    struct EntryBlock {
        price: I64,
        size: I32,
        security_id: I32,
        sequence: U32,
        number_of_orders: I32,
        level: u8,
        action: u8,
        entry_type: u8,
        padding: [u8; 5],
    }
}

const NO_PRICE: i64 = i64::MAX;
const NONE: i32 = i32::MAX;

// The part that both ways to read share once they have the block. Always inlined, as if it were written in both.
impl CarBlock {
    #[inline(always)]
    fn copy_to(&self, car: &mut Car<'_>) {
        car.serial_number = self.serial_number.get();
        car.model_year = self.model_year.get();
        car.available = self.available;
        car.code = self.code;
        car.some_numbers = self.some_numbers.map(I32::get);
        car.vehicle_code = self.vehicle_code;
        car.extras = self.extras;
        car.capacity = self.capacity.get();
        car.cylinders = self.cylinders;
        car.manufacturer_code = self.manufacturer_code;
    }
}

impl FuelBlock {
    #[inline(always)]
    fn copied(&self) -> Fuel {
        Fuel { speed: self.speed.get(), mpg: self.mpg.get() }
    }
}

impl AccelerationBlock {
    #[inline(always)]
    fn copied(&self) -> Acceleration {
        Acceleration { mph: self.mph.get(), seconds: self.seconds.get() }
    }
}

impl RefreshBlock {
    #[inline(always)]
    fn copy_to(&self, refresh: &mut Refresh) {
        refresh.transact_time = self.transact_time.get();
        refresh.match_event_indicator = self.match_event_indicator;
    }
}

impl EntryBlock {
    #[inline(always)]
    fn copied(&self) -> Entry {
        Entry {
            price: Some(self.price.get()).filter(|&price| price != NO_PRICE),
            size: Some(self.size.get()).filter(|&size| size != NONE),
            security_id: self.security_id.get(),
            sequence: self.sequence.get(),
            number_of_orders: Some(self.number_of_orders.get()).filter(|&orders| orders != NONE),
            level: self.level,
            action: self.action,
            entry_type: self.entry_type,
        }
    }
}

/// Writes a value to the front of a buffer.
fn put<T: IntoBytes + Immutable>(buffer: &mut &mut [u8], value: T) -> Option<()> {
    let (place, rest) = std::mem::take(buffer).split_at_mut_checked(size_of::<T>())?;
    place.copy_from_slice(value.as_bytes());
    *buffer = rest;
    Some(())
}

fn put_data(buffer: &mut &mut [u8], data: &[u8]) -> Option<()> {
    put(buffer, U32::new(data.len() as u32))?;
    let (place, rest) = std::mem::take(buffer).split_at_mut_checked(data.len())?;
    place.copy_from_slice(data);
    *buffer = rest;
    Some(())
}

fn get<'a, T: FromBytes + KnownLayout + Immutable + Unaligned>(bytes: &mut &'a [u8]) -> Option<&'a T> {
    let (value, rest) = T::ref_from_prefix(bytes).ok()?;
    *bytes = rest;
    Some(value)
}

/// Reads a block that takes `length` bytes in the message: the part of it that is known.
fn get_block<'a, T: FromBytes + KnownLayout + Immutable + Unaligned>(
    bytes: &mut &'a [u8],
    length: usize,
) -> Option<&'a T> {
    let (block, rest) = bytes.split_at_checked(length)?;
    let (value, _) = T::ref_from_prefix(block).ok()?;
    *bytes = rest;
    Some(value)
}

fn get_data<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = get::<U32>(bytes)?.get() as usize;
    let (data, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(data)
}

fn header(block_length: usize, template_id: u16, version: u16) -> Header {
    Header {
        block_length: U16::new(block_length as u16),
        template_id: U16::new(template_id),
        schema_id: U16::new(1),
        version: U16::new(version),
    }
}

fn dimension<T>(count: usize) -> Dimension {
    Dimension { block_length: U16::new(size_of::<T>() as u16), count: U16::new(count as u16) }
}

/// Writes a car and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_car(car: &Car<'_>, buffer: &mut [u8]) -> Option<usize> {
    let room = buffer.len();
    let rest = &mut &mut *buffer;
    put(rest, header(size_of::<CarBlock>(), 1, 1))?;
    put(
        rest,
        CarBlock {
            serial_number: U32::new(car.serial_number),
            model_year: U16::new(car.model_year),
            available: car.available,
            code: car.code,
            some_numbers: car.some_numbers.map(I32::new),
            vehicle_code: car.vehicle_code,
            extras: car.extras,
            capacity: U16::new(car.capacity),
            cylinders: car.cylinders,
            manufacturer_code: car.manufacturer_code,
        },
    )?;
    put(rest, dimension::<FuelBlock>(car.fuel_figures.items().len()))?;
    for fuel in car.fuel_figures.items() {
        put(rest, FuelBlock { speed: U16::new(fuel.speed), mpg: F32::new(fuel.mpg) })?;
    }
    put(rest, dimension::<u8>(car.performance_figures.items().len()))?;
    for performance in car.performance_figures.items() {
        put(rest, performance.octane_rating)?;
        put(rest, dimension::<AccelerationBlock>(performance.acceleration.items().len()))?;
        for acceleration in performance.acceleration.items() {
            let (mph, seconds) = (U16::new(acceleration.mph), F32::new(acceleration.seconds));
            put(rest, AccelerationBlock { mph, seconds })?;
        }
    }
    put_data(rest, car.manufacturer)?;
    put_data(rest, car.model)?;
    Some(room - rest.len())
}

/// Reads a car. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_car<'a>(mut bytes: &'a [u8], car: &mut Car<'a>) -> Option<()> {
    let rest = &mut bytes;
    let header = get::<Header>(rest)?;
    if header.template_id != 1 || header.schema_id != 1 {
        return None;
    }
    get::<CarBlock>(rest)?.copy_to(car);
    let count = get::<Dimension>(rest)?.count.get() as usize;
    for fuel in car.fuel_figures.refill(count)? {
        *fuel = get::<FuelBlock>(rest)?.copied();
    }
    let count = get::<Dimension>(rest)?.count.get() as usize;
    for Performance { octane_rating, acceleration } in car.performance_figures.refill(count)? {
        *octane_rating = *get::<u8>(rest)?;
        let count = get::<Dimension>(rest)?.count.get() as usize;
        for acceleration in acceleration.refill(count)? {
            *acceleration = get::<AccelerationBlock>(rest)?.copied();
        }
    }
    car.manufacturer = get_data(rest)?;
    car.model = get_data(rest)?;
    Some(())
}

/// Reads a car by the block lengths that the message carries.
#[inline(never)]
pub fn decode_any_car<'a>(mut bytes: &'a [u8], car: &mut Car<'a>) -> Option<()> {
    let rest = &mut bytes;
    let header = get::<Header>(rest)?;
    if header.template_id != 1 || header.schema_id != 1 {
        return None;
    }
    get_block::<CarBlock>(rest, header.block_length.get().into())?.copy_to(car);
    let dimension = get::<Dimension>(rest)?;
    let (length, count) = (dimension.block_length.get().into(), dimension.count.get().into());
    for fuel in car.fuel_figures.refill(count)? {
        *fuel = get_block::<FuelBlock>(rest, length)?.copied();
    }
    let dimension = get::<Dimension>(rest)?;
    let (length, count) = (dimension.block_length.get().into(), dimension.count.get().into());
    for Performance { octane_rating, acceleration } in car.performance_figures.refill(count)? {
        *octane_rating = *get_block::<u8>(rest, length)?;
        let dimension = get::<Dimension>(rest)?;
        let (length, count) = (dimension.block_length.get().into(), dimension.count.get().into());
        for acceleration in acceleration.refill(count)? {
            *acceleration = get_block::<AccelerationBlock>(rest, length)?.copied();
        }
    }
    car.manufacturer = get_data(rest)?;
    car.model = get_data(rest)?;
    Some(())
}

/// Writes a refresh and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_refresh(refresh: &Refresh, buffer: &mut [u8]) -> Option<usize> {
    let room = buffer.len();
    let rest = &mut &mut *buffer;
    put(rest, header(size_of::<RefreshBlock>(), 46, 9))?;
    put(
        rest,
        RefreshBlock {
            transact_time: U64::new(refresh.transact_time),
            match_event_indicator: refresh.match_event_indicator,
            padding: [0; 2],
        },
    )?;
    put(rest, SmallDimension { block_length: U16::new(32), count: refresh.entries.items().len() as u8 })?;
    for entry in refresh.entries.items() {
        put(
            rest,
            EntryBlock {
                price: I64::new(entry.price.unwrap_or(NO_PRICE)),
                size: I32::new(entry.size.unwrap_or(NONE)),
                security_id: I32::new(entry.security_id),
                sequence: U32::new(entry.sequence),
                number_of_orders: I32::new(entry.number_of_orders.unwrap_or(NONE)),
                level: entry.level,
                action: entry.action,
                entry_type: entry.entry_type,
                padding: [0; 5],
            },
        )?;
    }
    put(rest, EightByteDimension { block_length: U16::new(24), padding: [0; 5], count: 0 })?;
    Some(room - rest.len())
}

/// Reads a refresh. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_refresh(mut bytes: &[u8], refresh: &mut Refresh) -> Option<()> {
    let rest = &mut bytes;
    let header = get::<Header>(rest)?;
    if header.template_id != 46 || header.schema_id != 1 {
        return None;
    }
    get::<RefreshBlock>(rest)?.copy_to(refresh);
    let count = get::<SmallDimension>(rest)?.count as usize;
    for entry in refresh.entries.refill(count)? {
        *entry = get::<EntryBlock>(rest)?.copied();
    }
    get::<EightByteDimension>(rest)?;
    Some(())
}

/// Reads a refresh by the block lengths that the message carries.
#[inline(never)]
pub fn decode_any_refresh(mut bytes: &[u8], refresh: &mut Refresh) -> Option<()> {
    let rest = &mut bytes;
    let header = get::<Header>(rest)?;
    if header.template_id != 46 || header.schema_id != 1 {
        return None;
    }
    get_block::<RefreshBlock>(rest, header.block_length.get().into())?.copy_to(refresh);
    let dimension = get::<SmallDimension>(rest)?;
    let (length, count) = (dimension.block_length.get().into(), dimension.count.into());
    for entry in refresh.entries.refill(count)? {
        *entry = get_block::<EntryBlock>(rest, length)?.copied();
    }
    let dimension = get::<EightByteDimension>(rest)?;
    let length = usize::from(dimension.block_length.get()) * usize::from(dimension.count);
    bytes.split_at_checked(length).map(|_| ())
}
