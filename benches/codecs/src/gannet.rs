//! Gannet's generated codecs.

use gannet_codecs_runtime::DecodeError;

use crate::values::{Acceleration, Car, Entry, Fuel, Refresh};

#[allow(missing_docs, clippy::all, reason = "generated")]
mod car {
    include!(concat!(env!("OUT_DIR"), "/gannet_car.rs"));
}
#[allow(missing_docs, clippy::all, reason = "generated")]
mod refresh {
    include!(concat!(env!("OUT_DIR"), "/gannet_refresh.rs"));
}

/// Writes a car and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_car(values: &Car<'_>, buffer: &mut [u8]) -> Option<usize> {
    use car::types::{BooleanType, Engine, Model, OptionalExtras};
    let mut car = car::CarEncoder::wrap(buffer).ok()?;
    car.serial_number(values.serial_number)
        .model_year(values.model_year)
        .available(BooleanType(values.available))
        .code(Model(values.code))
        .some_numbers(values.some_numbers)
        .vehicle_code(&values.vehicle_code)
        .extras(OptionalExtras(values.extras))
        .engine(Engine {
            capacity: values.capacity,
            num_cylinders: values.cylinders,
            manufacturer_code: values.manufacturer_code,
        });
    let car = car.fuel_figures(values.fuel_figures.items(), |mut figure, fuel| {
        figure.speed(fuel.speed).mpg(fuel.mpg);
        figure.end()
    });
    let car = car.ok()?.performance_figures(values.performance_figures.items(), |mut figure, performance| {
        figure.octane_rating(performance.octane_rating);
        let figure = figure.acceleration(performance.acceleration.items(), |mut entry, acceleration| {
            entry.mph(acceleration.mph).seconds(acceleration.seconds);
            entry.end()
        });
        figure?.end()
    });
    Some(car.ok()?.manufacturer(values.manufacturer).ok()?.model(values.model).ok()?.finish())
}

/// The bytes end too soon, or there are more entries than fit.
struct Unreadable;

impl From<DecodeError> for Unreadable {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// Reads a car. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_car<'a>(bytes: &'a [u8], values: &mut Car<'a>) -> Option<()> {
    let car = car::CarDecoder::in_order(bytes).ok()?;
    values.serial_number = car.serial_number();
    values.model_year = car.model_year();
    values.available = car.available().0;
    values.code = car.code().0;
    values.some_numbers = car.some_numbers();
    values.vehicle_code = *car.vehicle_code();
    values.extras = car.extras().0;
    let engine = car.engine();
    values.capacity = engine.capacity;
    values.cylinders = engine.num_cylinders;
    values.manufacturer_code = engine.manufacturer_code;
    let figures = car.fuel_figures().ok()?;
    let room = values.fuel_figures.refill(figures.len())?;
    let car = figures.fill(room, |figure| Fuel { speed: figure.speed(), mpg: figure.mpg() }).ok()?;
    let figures = car.performance_figures().ok()?;
    let room = values.performance_figures.refill(figures.len())?;
    let car = figures.fill(room, |to, figure| -> Result<(), Unreadable> {
        to.octane_rating = figure.octane_rating();
        let entries = figure.acceleration()?;
        let room = to.acceleration.refill(entries.len()).ok_or(Unreadable)?;
        entries.fill(room, |entry| Acceleration { mph: entry.mph(), seconds: entry.seconds() })?.end();
        Ok(())
    });
    let (manufacturer, car) = car.ok()?.manufacturer().ok()?;
    values.manufacturer = manufacturer;
    values.model = car.model().ok()?.0;
    Some(())
}

/// Writes a refresh and returns its length in bytes. `None` if it does not fit.
#[inline(never)]
pub fn encode_refresh(values: &Refresh, buffer: &mut [u8]) -> Option<usize> {
    use refresh::types::{EntryType, EventIndicator, Price9, UpdateAction};
    let mut refresh = refresh::RefreshEncoder::wrap(buffer).ok()?;
    refresh.transact_time(values.transact_time).match_event_indicator(EventIndicator(values.match_event_indicator));
    let refresh = refresh.entries(values.entries.items(), |mut entry, from| {
        entry
            .price(Price9 { mantissa: from.price })
            .size(from.size)
            .security_id(from.security_id)
            .sequence(from.sequence)
            .number_of_orders(from.number_of_orders)
            .level(from.level)
            .action(UpdateAction(from.action))
            .entry_type(EntryType(from.entry_type));
        entry.end()
    });
    let refresh = refresh.ok()?.orders([(); 0], |order, ()| order.end()).ok()?;
    Some(refresh.finish())
}

/// Reads a refresh. `None` if the bytes are another message or too few.
#[inline(never)]
pub fn decode_refresh(bytes: &[u8], values: &mut Refresh) -> Option<()> {
    let refresh = refresh::RefreshDecoder::in_order(bytes).ok()?;
    values.transact_time = refresh.transact_time();
    values.match_event_indicator = refresh.match_event_indicator().0;
    let entries = refresh.entries().ok()?;
    let room = values.entries.refill(entries.len())?;
    let refresh = entries.fill(room, |entry| Entry {
        price: entry.price().mantissa,
        size: entry.size(),
        security_id: entry.security_id(),
        sequence: entry.sequence(),
        number_of_orders: entry.number_of_orders(),
        level: entry.level(),
        action: entry.action().0,
        entry_type: entry.entry_type().0,
    });
    refresh.ok()?.orders().ok()?.end().ok()?;
    Some(())
}
