//! `ergo-sbe`, used in its fastest way: whole blocks and entries from structs where it supports them, and decoding in
//! the order of the message.

use crate::values::{Acceleration, Car, Entry, Fuel, Performance, Refresh};

#[allow(missing_docs, warnings, clippy::all, reason = "generated")]
mod car {
    include!(concat!(env!("OUT_DIR"), "/ergo_car.rs"));
}
#[allow(missing_docs, warnings, clippy::all, reason = "generated")]
mod refresh {
    include!(concat!(env!("OUT_DIR"), "/ergo_refresh.rs"));
}

/// Writes a car and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_car(values: &Car<'_>, buffer: &mut [u8]) -> Option<usize> {
    use car::{
        BooleanType, CarFixedFields, Engine, FuelFiguresEntry, Model, OptionalExtras,
        PerformanceFiguresAccelerationEntry,
    };
    let car = car::CarEncoder::try_wrap_and_apply_header(buffer, 0).ok()?.fixed(&CarFixedFields {
        serial_number: values.serial_number,
        model_year: values.model_year,
        available: BooleanType::from(values.available),
        code: Model::from(values.code),
        some_numbers: values.some_numbers,
        vehicle_code: values.vehicle_code,
        extras: OptionalExtras(values.extras),
        engine: Engine::new(values.capacity, values.cylinders, values.manufacturer_code),
    });
    let car = car.fuel_figures(values.fuel_figures.items().len() as u16, |figures| {
        for fuel in values.fuel_figures.items() {
            figures.add_struct(&FuelFiguresEntry { speed: fuel.speed, mpg: fuel.mpg })?;
        }
        Ok(())
    });
    let car = car.ok()?.performance_figures(values.performance_figures.items().len() as u16, |figures| {
        for performance in values.performance_figures.items() {
            figures.add(|mut figure| {
                figure.octane_rating(performance.octane_rating);
                figure.acceleration(performance.acceleration.items().len() as u16, |entries| {
                    for acceleration in performance.acceleration.items() {
                        entries.add_struct(&PerformanceFiguresAccelerationEntry {
                            mph: acceleration.mph,
                            seconds: acceleration.seconds,
                        })?;
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    });
    let car = car.ok()?.manufacturer(values.manufacturer).ok()?.model(values.model).ok()?;
    Some(car.encoded_length_with_header())
}

/// Reads a car. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_car<'a>(bytes: &'a [u8], values: &mut Car<'a>) -> Option<()> {
    let car = car::CarDecoder::try_decode(bytes, 0).ok()?;
    values.serial_number = car.serial_number();
    values.model_year = car.model_year();
    values.available = car.available().raw();
    values.code = car.code().raw();
    values.some_numbers = car.some_numbers();
    values.vehicle_code = car.vehicle_code();
    values.extras = car.extras().0;
    let engine = car.engine();
    values.capacity = engine.capacity();
    values.cylinders = engine.num_cylinders();
    values.manufacturer_code = engine.manufacturer_code();
    let mut figures = car.into_fuel_figures().ok()?;
    for (fuel, figure) in values.fuel_figures.refill(figures.remaining_entries())?.iter_mut().zip(&mut figures) {
        *fuel = Fuel { speed: figure.speed(), mpg: figure.mpg() };
    }
    let car = figures.finish().ok()?;
    let mut performances = values.performance_figures.refill(car.performance_figures_count().ok()?)?.iter_mut();
    let car = car.into_performance_figures(|figure| -> Result<_, car::sbe_rt::DecodeError> {
        let mut nowhere = Performance::default();
        let Performance { octane_rating, acceleration } = performances.next().unwrap_or(&mut nowhere);
        *octane_rating = figure.octane_rating();
        let mut entries = figure.into_acceleration()?;
        let room = acceleration.refill(entries.remaining_entries()).unwrap_or_default();
        for (acceleration, entry) in room.iter_mut().zip(&mut entries) {
            *acceleration = Acceleration { mph: entry.mph(), seconds: entry.seconds() };
        }
        entries.finish()
    });
    let (manufacturer, car) = car.ok()?.into_manufacturer().ok()?;
    values.manufacturer = manufacturer;
    values.model = car.into_model().ok()?.0;
    Some(())
}

/// Writes a refresh and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_refresh(values: &Refresh, buffer: &mut [u8]) -> Option<usize> {
    use refresh::{EntriesEntry, EntryType, EventIndicator, Price9, RefreshFixedFields, UpdateAction};
    let refresh = refresh::RefreshEncoder::try_wrap_and_apply_header(buffer, 0).ok()?.fixed(&RefreshFixedFields {
        transact_time: values.transact_time,
        match_event_indicator: EventIndicator(values.match_event_indicator),
    });
    let refresh = refresh.entries(values.entries.items().len() as u8, |entries| {
        for from in values.entries.items() {
            entries.add_struct(&EntriesEntry {
                price: Price9::new(from.price.unwrap_or(i64::MAX)),
                size: from.size.unwrap_or(i32::MAX),
                security_id: from.security_id,
                sequence: from.sequence,
                number_of_orders: from.number_of_orders.unwrap_or(i32::MAX),
                level: from.level,
                action: UpdateAction::from(from.action),
                entry_type: EntryType::from(from.entry_type),
            })?;
        }
        Ok(())
    });
    Some(refresh.ok()?.orders(0, |_| Ok(())).ok()?.encoded_length_with_header())
}

/// Reads a refresh. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_refresh(bytes: &[u8], values: &mut Refresh) -> Option<()> {
    let refresh = refresh::RefreshDecoder::try_decode(bytes, 0).ok()?;
    values.transact_time = refresh.transact_time();
    values.match_event_indicator = refresh.match_event_indicator().0;
    let mut entries = refresh.into_entries().ok()?;
    for (to, entry) in values.entries.refill(entries.remaining_entries())?.iter_mut().zip(&mut entries) {
        *to = Entry {
            price: entry.price().mantissa(),
            size: entry.size(),
            security_id: entry.security_id(),
            sequence: entry.sequence(),
            number_of_orders: entry.number_of_orders(),
            level: entry.level(),
            action: entry.action().raw(),
            entry_type: entry.entry_type().raw(),
        };
    }
    entries.finish().ok()?.skip_orders().ok()?;
    Some(())
}
