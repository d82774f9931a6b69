//! The values that are encoded and decoded: plain structs, as an application would have, with a sample of each.

/// A list of up to `N` items, whose number is known only at run time, as for any group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<T, const N: usize> {
    items: [T; N],
    length: usize,
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// The items in order.
    pub fn items(&self) -> &[T] {
        self.items.get(..self.length).unwrap_or_default()
    }

    /// Sets the list's length to `length` and returns its items for writing. `None` if `length` is greater than `N`.
    pub fn refill(&mut self, length: usize) -> Option<&mut [T]> {
        self.length = length;
        self.items.get_mut(..length)
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self { items: [T::default(); N], length: 0 }
    }
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    fn of(items: &[T]) -> Self {
        let mut list = Self::default();
        if let Some(room) = list.refill(items.len()) {
            room.copy_from_slice(items);
        }
        list
    }
}

/// A car.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Car<'a> {
    pub serial_number: u32,
    pub model_year: u16,
    pub available: u8,
    pub code: u8,
    pub some_numbers: [i32; 5],
    pub vehicle_code: [u8; 6],
    pub extras: u8,
    pub capacity: u16,
    pub cylinders: u8,
    pub manufacturer_code: [u8; 3],
    pub fuel_figures: List<Fuel, 8>,
    pub performance_figures: List<Performance, 8>,
    pub manufacturer: &'a [u8],
    pub model: &'a [u8],
}

/// Speed and miles per gallon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Fuel {
    pub speed: u16,
    pub mpg: f32,
}

/// Acceleration of the car with some fuel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Performance {
    pub octane_rating: u8,
    pub acceleration: List<Acceleration, 8>,
}

/// Seconds to reach a speed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Acceleration {
    pub mph: u16,
    pub seconds: f32,
}

/// The number of entries of a refresh.
pub const ENTRIES: usize = 10;

/// An incremental refresh with ten entries.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Refresh {
    pub transact_time: u64,
    pub match_event_indicator: u8,
    pub entries: List<Entry, 16>,
}

/// A change of an order book.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the schema's fields")]
pub struct Entry {
    pub price: Option<i64>,
    pub size: Option<i32>,
    pub security_id: i32,
    pub sequence: u32,
    pub number_of_orders: Option<i32>,
    pub level: u8,
    pub action: u8,
    pub entry_type: u8,
}

/// A buffer length in bytes that is enough for either message.
pub const ROOM: usize = 1024;

impl Car<'static> {
    /// A car with entries in every group.
    pub fn sample() -> Self {
        let acceleration = [(30, 3.8), (60, 7.5), (100, 12.2)].map(|(mph, seconds)| Acceleration { mph, seconds });
        let acceleration = List::of(&acceleration);
        Self {
            serial_number: 1234,
            model_year: 2013,
            available: 1,
            code: b'A',
            some_numbers: [0, 1, 2, 3, 4],
            vehicle_code: *b"abcdef",
            extras: 0b110,
            capacity: 2000,
            cylinders: 4,
            manufacturer_code: *b"123",
            fuel_figures: List::of(&[(30, 35.9), (55, 49.0), (75, 40.0)].map(|(speed, mpg)| Fuel { speed, mpg })),
            performance_figures: List::of(&[95, 99].map(|octane_rating| Performance { octane_rating, acceleration })),
            manufacturer: b"Honda",
            model: b"Civic VTi",
        }
    }
}

impl Refresh {
    /// A refresh in which some optional values are absent.
    pub fn sample() -> Self {
        let entry = |index: usize| Entry {
            price: (index != 7).then_some(4_500_250_000_000 + index as i64),
            size: (index != 3).then_some(17 + index as i32),
            security_id: 61_000 + index as i32,
            sequence: 900 + index as u32,
            number_of_orders: (index % 4 != 1).then_some(3),
            level: 1 + index as u8,
            action: (index % 3) as u8,
            entry_type: b'0' + (index % 2) as u8,
        };
        Self {
            transact_time: 1_700_000_000_123_456_789,
            match_event_indicator: 0x84,
            entries: List::of(&std::array::from_fn::<_, ENTRIES, _>(entry)),
        }
    }
}
