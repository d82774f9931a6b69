//! A field that selects messages by its value: `NAME=VALUE` on the command line.

use std::collections::BTreeMap;
use std::str::FromStr;

use gannet::nearest::nearest;
use gannet_codecs::dynamic::Found;
use gannet_codecs::schema::{Body, Enum, Message, Type};
use serde_json::Value;

/// A field and the value to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The names from the message down to the field.
    path: Vec<String>,
    value: String,
}

/// The member under which the JSON form shows bytes that are no text.
const HEX: &str = "$hex";

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
    /// Says why none of these messages, which are those of `whole`, can have that value in the field. A misspelt name
    /// would otherwise choose nothing in silence.
    pub(super) fn fault<'s>(&self, messages: impl IntoIterator<Item = &'s Message>, whole: &str) -> Option<String> {
        let mut places = Vec::new();
        for message in messages {
            places_in(&message.body, "", &mut places);
        }
        let names = self.path.strip_suffix(&[HEX.to_owned()]).unwrap_or(&self.path);
        let name = names.join(".");
        let mut found = places.iter().filter(|place| place.path == name).peekable();
        if found.peek().is_none() {
            let meant =
                meant(names.len(), &name, &places).map_or(String::new(), |path| format!("; did you mean {path}?"));
            return Some(format!("there is no {name} in {whole}{meant}"));
        }
        let enums: Option<Vec<&Enum>> = found.map(|place| place.of).collect();
        // A number is a value that the schema does not name.
        if let Some(enums) = enums
            && self.value != "null"
            && self.value.parse::<i128>().is_err()
        {
            let values = || enums.iter().flat_map(|of| of.values.iter().map(|value| value.name.as_str()));
            if !values().any(|value| value == self.value) {
                let meant = nearest(&self.value, values())
                    .map_or(String::new(), |(value, _)| format!("; did you mean {value}?"));
                return Some(format!("{name} has no value {}{meant}", self.value));
            }
        }
        None
    }

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

/// Where a message has a value, as the JSON form shows it.
struct Place<'s> {
    /// The names down to the value, with dots between them.
    path: String,
    /// The enum that the value is of.
    of: Option<&'s Enum>,
}

fn places_in<'s>(body: &'s Body, above: &str, places: &mut Vec<Place<'s>>) {
    for field in &body.fields {
        places_of(&field.ty, below(above, &field.name), places);
    }
    for group in &body.groups {
        places_in(&group.body, &below(above, &group.name), places);
    }
    places.extend(body.data.iter().map(|data| Place { path: below(above, &data.name), of: None }));
}

fn places_of<'s>(ty: &'s Type, path: String, places: &mut Vec<Place<'s>>) {
    match ty {
        Type::Encoding(_) => places.push(Place { path, of: None }),
        Type::Enum(of) => places.push(Place { path, of: Some(of) }),
        Type::Set(set) => {
            places.extend(set.choices.iter().map(|choice| Place { path: below(&path, &choice.name), of: None }));
        }
        Type::Composite(composite) => {
            for member in &composite.members {
                places_of(&member.ty, below(&path, &member.name), places);
            }
        }
    }
}

fn below(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

/// The path that was probably meant by `name`, which has so many parts. What it lies in may have been left out.
fn meant<'p>(parts: usize, name: &str, places: &'p [Place<'_>]) -> Option<&'p str> {
    let end = |path: &'p str| path.rmatch_indices('.').nth(parts - 1).map_or(path, |(dot, _)| &path[dot + 1..]);
    let mut by_end = BTreeMap::new();
    for place in places {
        by_end.entry(end(&place.path)).or_insert(place.path.as_str());
    }
    nearest(name, by_end.keys().copied()).map(|(end, _)| by_end[end])
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

    #[test]
    fn what_no_message_can_have_has_a_fault() {
        use gannet_codecs::schema::{Options, compile_text};

        const SCHEMA: &str = r#"<messageSchema package="p" id="1" version="0"><types><composite name="messageHeader">
            <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
            <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>
            <composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint16"/>
            <type name="numInGroup" primitiveType="uint16"/></composite>
            <composite name="varData"><type name="length" primitiveType="uint16"/>
            <type name="varData" primitiveType="uint8" length="0"/></composite>
            <composite name="Price"><type name="mantissa" primitiveType="int64"/></composite>
            <enum name="Side" encodingType="char"><validValue name="Buy">B</validValue>
            <validValue name="Sell">S</validValue></enum>
            <set name="Flags" encodingType="uint8"><choice name="last">0</choice></set></types>
            <message name="Order" id="7"><field name="id" id="1" type="int16"/><field name="flags" id="2" type="Flags"/>
            <group name="levels" id="3"><field name="price" id="4" type="Price"/><field name="side" id="5" type="Side"/></group>
            <data name="note" id="6" type="varData"/></message></messageSchema>"#;
        let schema = compile_text("s.xml", SCHEMA, &Options::default()).expect("it is accepted").schema;
        let fault =
            |text: &str| text.parse::<Field>().expect("a field and a value").fault(&schema.messages, "the schema");
        for text in [
            "id=1",
            "id=x",
            "flags.last=true",
            "levels.price.mantissa=5",
            "levels.side=Sell",
            "levels.side=88",
            "levels.side=null",
            "note=a",
            "note.$hex=00ff",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
        for (text, expected) in [
            ("idd=1", "there is no idd in the schema; did you mean id?"),
            ("side=Buy", "there is no side in the schema; did you mean levels.side?"),
            ("price.Mantisa=5", "there is no price.Mantisa in the schema; did you mean levels.price.mantissa?"),
            ("levels=1", "there is no levels in the schema"),
            ("levels.side=buy", "levels.side has no value buy; did you mean Buy?"),
            ("levels.side=Hold", "levels.side has no value Hold"),
        ] {
            assert_eq!(fault(text).as_deref(), Some(expected), "{text}");
        }
    }
}
