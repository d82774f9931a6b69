//! The settings of name resolution that are lists: the table of names, and the bootstrap neighbors. They are read when
//! the configuration is checked, and again when the driver starts.

use gannet::channel_uri::{ChannelUri, Host, HostAndPort, Interface, InterfaceName};

use super::table::Resolver;

/// The maximum number of bootstrap neighbors, as in the reference.
const MAX_BOOTSTRAP_NEIGHBORS: usize = 20;
/// The maximum number of rows, as in the reference.
const MAX_ROWS: usize = 1024;

/// A row of the table of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRow {
    /// The name in channels.
    pub name: String,
    /// The host to which it resolves initially.
    pub initial_host: String,
    /// The host to which it resolves once its counter is set.
    pub re_resolution_host: String,
}

impl Resolver {
    /// The rows of the name table. Rows are separated by `|`. Each has a name, its initial host and its re-resolution
    /// host, separated by commas.
    ///
    /// # Errors
    ///
    /// The expected form, with the row and column of the error.
    pub fn table(&self) -> Result<Vec<NameRow>, String> {
        const FORM: &str = "name,initial host,re-resolution host for each name, rows separated by |";
        let mut rows: Vec<NameRow> = Vec::new();
        for (index, text) in self.init_args.split('|').enumerate() {
            let row = index + 1;
            let columns: Vec<&str> = text.split(',').map(str::trim).collect();
            let [name, initial_host, re_resolution_host] = columns[..] else {
                return Err(format!("{FORM}; row {row} has {} columns, and 3 are needed", columns.len()));
            };
            for (column, host) in columns.iter().enumerate() {
                if !is_host(host) {
                    return Err(format!("{FORM}; row {row}, column {}: {host:?} is no host", column + 1));
                }
            }
            if let Some(first) = rows.iter().position(|known| known.name == name) {
                return Err(format!("{FORM}; row {row}, column 1: {name:?} is in row {}, too", first + 1));
            }
            if rows.len() == MAX_ROWS {
                return Err(format!("{FORM}; at most {MAX_ROWS} rows"));
            }
            let [name, initial_host, re_resolution_host] = [name, initial_host, re_resolution_host].map(str::to_owned);
            rows.push(NameRow { name, initial_host, re_resolution_host });
        }
        Ok(rows)
    }

    /// The bootstrap neighbors.
    ///
    /// # Errors
    ///
    /// The expected form, with the invalid entry.
    pub fn bootstrap_neighbors(&self) -> Result<Vec<HostAndPort>, String> {
        const FORM: &str = "at most 20 of host:port, separated by commas";
        if self.bootstrap_neighbor.is_empty() {
            return Ok(Vec::new());
        }
        let read = |(index, text): (usize, &str)| {
            let place = HostAndPort::parse(text.trim()).filter(|place| place.port() != 0);
            place.ok_or_else(|| {
                format!("{FORM}; number {}, {text:?}, is not one with a port from 1 to 65535", index + 1)
            })
        };
        let places: Vec<HostAndPort> =
            self.bootstrap_neighbor.split(',').enumerate().map(read).collect::<Result<_, _>>()?;
        if places.len() > MAX_BOOTSTRAP_NEIGHBORS {
            return Err(format!("{FORM}; these are {}", places.len()));
        }
        Ok(places)
    }

    /// The local address on which the resolver listens. Its port may be 0.
    ///
    /// # Errors
    ///
    /// The expected form.
    pub fn local(&self) -> Result<Interface, String> {
        Interface::parse(&self.interface)
            .filter(|interface| matches!(interface.name(), InterfaceName::Address(_)))
            .filter(|interface| interface.prefix_length().is_none())
            .ok_or_else(|| "host:port or address:port of this machine".to_owned())
    }

    /// Whether channels can have the driver's name as a host.
    pub(super) fn has_name_of_a_host(&self) -> bool {
        let channel = ChannelUri::parse(&format!("aeron:udp?endpoint={}:1", self.name));
        let endpoint = channel.ok().and_then(|channel| channel.params().endpoint.clone());
        endpoint.is_some_and(|endpoint| matches!(endpoint.host(), Host::Name(name) if *name == self.name))
    }
}

fn is_host(text: &str) -> bool {
    HostAndPort::parse(&format!("{text}:0")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Vec<NameRow>, String> {
        Resolver { init_args: text.to_owned(), ..Resolver::default() }.table()
    }

    #[test]
    fn a_table_of_names() {
        let rows = table("a,localhost,127.0.0.1|b.example , [::1],c").unwrap();
        let row = |[name, initial_host, re_resolution_host]: [&str; 3]| NameRow {
            name: name.into(),
            initial_host: initial_host.into(),
            re_resolution_host: re_resolution_host.into(),
        };
        assert_eq!(rows, [row(["a", "localhost", "127.0.0.1"]), row(["b.example", "[::1]", "c"])]);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_told_with_its_place() {
        for (text, place) in [
            ("", "row 1 has 1 columns"),
            ("a,b,c|d,e", "row 2 has 2 columns"),
            ("a,b,c,d", "row 1 has 4 columns"),
            ("a,b,c|", "row 2 has 1 columns"),
            ("a,,c", "row 1, column 2: \"\" is no host"),
            ("a,b,c|d,e,f:1", "row 2, column 3: \"f:1\" is no host"),
            ("a,b,c|x y,e,f", "row 2, column 1: \"x y\" is no host"),
            ("a,b,c|a,e,f", "row 2, column 1: \"a\" is in row 1, too"),
        ] {
            let error = table(text).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
        let many = |rows: usize| (0..rows).map(|row| format!("n{row},a,b")).collect::<Vec<_>>().join("|");
        assert_eq!(table(&many(1024)).unwrap().len(), 1024);
        assert!(table(&many(1025)).unwrap_err().contains("at most 1024 rows"));
    }

    #[test]
    fn drivers_to_ask_first() {
        let read =
            |text: &str| Resolver { bootstrap_neighbor: text.to_owned(), ..Resolver::default() }.bootstrap_neighbors();
        let texts = |text| read(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts("one:8050, 10.0.0.1:8051,[::1]:8052"), ["one:8050", "10.0.0.1:8051", "[::1]:8052"]);
        assert!(texts("").is_empty());
        for (text, reason) in
            [("one", "number 1, \"one\""), ("one:1,two:0", "number 2, \"two:0\""), ("one:1,", "number 2, \"\"")]
        {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(read(&["one:1"; 20].join(",")).unwrap().len(), 20);
        assert!(read(&["one:1"; 21].join(",")).unwrap_err().contains("these are 21"));
    }

    #[test]
    fn the_local_address() {
        let read = |text: &str| Resolver { interface: text.to_owned(), ..Resolver::default() }.local();
        assert_eq!(read("0.0.0.0:8050").unwrap().port(), 8050);
        assert_eq!(read("localhost").unwrap().port(), 0);
        for text in ["", "{eth0}:8050", "host:port", "10.0.0.0:8050/24"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
