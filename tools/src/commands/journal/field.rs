//! A field that selects messages by its value: `NAME=VALUE` on the command line.

use std::str::FromStr;

use gannet_codecs::dynamic::Found;
use serde_json::Value;

/// A field and the value to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The names from the message down to the field.
    path: Vec<String>,
    value: String,
}

impl FromStr for Field {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a field and its value such as instrument=9, side=Buy or levels.price=101";
        let (path, value) = text.split_once('=').ok_or(EXPECTED)?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(EXPECTED);
        }
        Ok(Self { path, value: value.to_owned() })
    }
}

impl Field {
    /// Whether the field has that value in a message. For a field of a group, one matching entry is enough.
    pub(super) fn is_in(&self, message: &Found<'_, '_>) -> bool {
        // A message that cannot be decoded has no fields.
        let decoded = message.to_json().ok().and_then(|json| serde_json::from_str(&json).ok());
        decoded.is_some_and(|fields| self.holds(&fields, &self.path))
    }

    fn holds(&self, value: &Value, path: &[String]) -> bool {
        match (value, path) {
            (Value::Array(entries), _) => entries.iter().any(|entry| self.holds(entry, path)),
            (Value::Object(fields), [name, rest @ ..]) => fields.get(name).is_some_and(|value| self.holds(value, rest)),
            (_, [_, ..]) | (Value::Object(_), []) => false,
            (Value::String(text), []) => *text == self.value,
            (Value::Number(number), []) => {
                let number_is = |wanted: f64| number.is_f64() && number.as_f64() == Some(wanted);
                number.to_string() == self.value || self.value.parse().is_ok_and(number_is)
            }
            (Value::Bool(value), []) => self.value.parse() == Ok(*value),
            (Value::Null, []) => self.value == "null",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_wherever_they_are() {
        let message = serde_json::json!({
            "id": 4, "price": 1.5, "side": "Buy", "none": null, "flags": {"last": true},
            "levels": [{"price": 101, "orders": [{"id": 7}]}, {"price": 102, "orders": []}], "sizes": [1, 2]
        });
        let holds = |text: &str| {
            let field: Field = text.parse().expect("a field and a value");
            field.holds(&message, &field.path)
        };
        for text in [
            "id=4",
            "price=1.5",
            "price=1.50",
            "side=Buy",
            "none=null",
            "flags.last=true",
            "levels.price=102",
            "levels.orders.id=7",
            "sizes=2",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in [
            "id=41",
            "id=",
            "i=4",
            "side=buy",
            "side=B",
            "flags=true",
            "levels.price=10",
            "levels=101",
            "id.price=4",
            "levels.orders.id=101",
            "none=0",
        ] {
            assert!(!holds(text), "{text}");
        }
        for text in ["id", "=4", "levels..price=1", ".id=4", ""] {
            assert!(text.parse::<Field>().is_err(), "{text}");
        }
    }
}
