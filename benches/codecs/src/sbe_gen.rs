//! `sbe_gen`, with its encoder that does not allocate and its views. Its headers have to be filled in by hand, and its
//! structs leave out the padding behind the fields of an entry.

use zerocopy::FromBytes;
use zerocopy::little_endian::{I32, I64, U16};

use crate::values::{Acceleration, Car, Entry, Fuel, Performance, Refresh};

#[allow(missing_docs, warnings, clippy::all, reason = "generated")]
mod car {
    include!(concat!(env!("OUT_DIR"), "/sbe_gen_car.rs"));
}
#[allow(missing_docs, warnings, clippy::all, reason = "generated")]
mod refresh {
    include!(concat!(env!("OUT_DIR"), "/sbe_gen_refresh.rs"));
}

/// Writes a car and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_car(values: &Car<'_>, buffer: &mut [u8]) -> Option<usize> {
    use car::types::{BooleanType, Engine, Model, OptionalExtras};
    let header = car::message_header::MessageHeader {
        block_length: U16::new(car::car::Car::BLOCK_LENGTH),
        template_id: U16::new(car::car::Car::TEMPLATE_ID),
        schema_id: U16::new(1),
        version: U16::new(1),
    };
    let written = car::car::Car::encode_with_header_into(buffer, header, |car| {
        car.serial_number(values.serial_number)
            .model_year(values.model_year)
            .available(BooleanType(values.available))
            .code(Model(values.code))
            .some_numbers(values.some_numbers.map(I32::new))
            .vehicle_code(values.vehicle_code)
            .extras(OptionalExtras(values.extras))
            .engine(Engine {
                capacity: U16::new(values.capacity),
                num_cylinders: values.cylinders,
                manufacturer_code: values.manufacturer_code,
            });
        car.fuel_figures(|figures| {
            for fuel in values.fuel_figures.items() {
                figures.entry(|figure| {
                    figure.speed(fuel.speed).mpg(fuel.mpg);
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        car.performance_figures(|figures| {
            for performance in values.performance_figures.items() {
                figures.entry(|figure| {
                    figure.octane_rating(performance.octane_rating).acceleration(|entries| {
                        for acceleration in performance.acceleration.items() {
                            entries.entry(|entry| {
                                entry.mph(acceleration.mph).seconds(acceleration.seconds);
                                Ok(())
                            })?;
                        }
                        Ok(())
                    })?;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        car.manufacturer(values.manufacturer)?.model(values.model)?;
        Ok(())
    });
    written.ok()
}

/// Reads a car. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_car<'a>(bytes: &'a [u8], values: &mut Car<'a>) -> Option<()> {
    let (header, body) = car::message_header::MessageHeader::ref_from_prefix(bytes).ok()?;
    if header.template_id != 1 || header.schema_id != 1 {
        return None;
    }
    let (car, rest) = car::car::parse_with_header(body, header)?;
    values.serial_number = car.serial_number()?.get();
    values.model_year = car.model_year()?.get();
    values.available = car.available()?.0;
    values.code = car.code()?.0;
    values.some_numbers = car.some_numbers()?.map(I32::get);
    values.vehicle_code = *car.vehicle_code()?;
    values.extras = car.extras()?.0;
    let engine = car.engine()?;
    values.capacity = engine.capacity.get();
    values.cylinders = engine.num_cylinders;
    values.manufacturer_code = engine.manufacturer_code;
    let figures = car::car::parse_fuel_figures(rest)?;
    let room = values.fuel_figures.refill(figures.count())?;
    let mut figures = figures.iter();
    for (fuel, figure) in room.iter_mut().zip(&mut figures) {
        *fuel = Fuel { speed: figure.speed()?.get(), mpg: figure.mpg()?.get() };
    }
    let figures = car::car::parse_performance_figures(figures.remainder())?;
    let room = values.performance_figures.refill(figures.count())?;
    let mut figures = figures.iter();
    for (performance, figure) in room.iter_mut().zip(&mut figures) {
        let Performance { octane_rating, acceleration } = performance;
        *octane_rating = *figure.octane_rating()?;
        let room = acceleration.refill(figure.acceleration.count())?;
        for (acceleration, entry) in room.iter_mut().zip(figure.acceleration.iter()) {
            *acceleration = Acceleration { mph: entry.mph()?.get(), seconds: entry.seconds()?.get() };
        }
    }
    let (manufacturer, rest) = car.parse_manufacturer(figures.remainder())?;
    values.manufacturer = manufacturer.bytes;
    values.model = car.parse_model(rest)?.0.bytes;
    Some(())
}

/// Writes a refresh and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_refresh(values: &Refresh, buffer: &mut [u8]) -> Option<usize> {
    use refresh::types::{EntryType, EventIndicator, Price9, UpdateAction};
    let header = refresh::message_header::MessageHeader {
        block_length: U16::new(refresh::refresh::Refresh::BLOCK_LENGTH),
        template_id: U16::new(refresh::refresh::Refresh::TEMPLATE_ID),
        schema_id: U16::new(1),
        version: U16::new(9),
    };
    let written = refresh::refresh::Refresh::encode_with_header_into(buffer, header, |refresh| {
        refresh.transact_time(values.transact_time).match_event_indicator(EventIndicator(values.match_event_indicator));
        refresh.entries(|entries| {
            for from in values.entries.items() {
                entries.entry(|entry| {
                    entry
                        .price(Price9 { mantissa: I64::new(from.price.unwrap_or(i64::MAX)) })
                        .size(I32::new(from.size.unwrap_or(i32::MAX)))
                        .security_id(from.security_id)
                        .sequence(from.sequence)
                        .number_of_orders(I32::new(from.number_of_orders.unwrap_or(i32::MAX)))
                        .level(from.level)
                        .action(UpdateAction(from.action))
                        .entry_type(EntryType(from.entry_type));
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        refresh.orders(|_| Ok(()))?;
        Ok(())
    });
    written.ok()
}

/// Reads a refresh. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_refresh(bytes: &[u8], values: &mut Refresh) -> Option<()> {
    let (header, body) = refresh::message_header::MessageHeader::ref_from_prefix(bytes).ok()?;
    if header.template_id != 46 || header.schema_id != 1 {
        return None;
    }
    let (refresh, rest) = refresh::refresh::parse_with_header(body, header)?;
    values.transact_time = refresh.transact_time()?.get();
    values.match_event_indicator = refresh.match_event_indicator()?.0;
    let entries = refresh::refresh::parse_entries(rest)?;
    let room = values.entries.refill(entries.count())?;
    let mut entries = entries.iter();
    for (to, entry) in room.iter_mut().zip(&mut entries) {
        *to = Entry {
            price: entry.price()?.mantissa_opt(),
            size: Some(entry.size()?.get()).filter(|&size| size != i32::MAX),
            security_id: entry.security_id()?.get(),
            sequence: entry.sequence()?.get(),
            number_of_orders: Some(entry.number_of_orders()?.get()).filter(|&orders| orders != i32::MAX),
            level: *entry.level()?,
            action: entry.action()?.0,
            entry_type: entry.entry_type()?.0,
        };
    }
    refresh::refresh::parse_orders(entries.remainder())?;
    Some(())
}
