//! Elements of a schema to types: names looked up, values read, layouts computed. Called by `messages` for every type that
//! a document names. Reports everything it finds wrong and goes on where it can.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::attributes::Reader;
use super::diagnostic::Findings;
use super::model::{Choice, Composite, Constant, Encoding, Enum, EnumValue, Member, Notes, Set, Type};
use super::primitive::{Number, Presence, Primitive};
use super::source::Place;
use super::xml::{ElementId, Tree};

/// Composites in composites, and groups in groups: real schemas have four levels.
pub(super) const DEEPEST: usize = 16;
/// Bytes of one type or block. The widest real ones have a few hundred.
pub(super) const LONGEST: u64 = 1 << 24;
/// Values in a type, counted through its composites: each `ref` may multiply them.
const MOST_VALUES: u64 = 1 << 16;
/// Names that are looked through for the one that might have been meant.
const MOST_NAMES: usize = 5000;

pub(super) struct Resolver<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) globals: HashMap<&'a str, ElementId>,
    /// The names of `globals`, in the order of the document.
    pub(super) names: Vec<&'a str>,
    /// The place of each value among an enum's, by name.
    enum_values: HashMap<ElementId, HashMap<String, usize>>,
    /// Composites that `data` elements name: the size of their `varData` is on the wire.
    pub(super) data_types: HashSet<&'a str>,
    packages: HashMap<ElementId, String>,
    resolved: HashMap<ElementId, Option<Type>>,
    values: HashMap<ElementId, u64>,
    /// Composites on the way from a composite to the innermost one in it.
    depths: HashMap<ElementId, usize>,
    open: Vec<ElementId>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a Tree, findings: &'a mut Findings) -> Self {
        Self {
            reader: Reader { tree, findings },
            globals: HashMap::new(),
            names: Vec::new(),
            enum_values: HashMap::new(),
            data_types: HashSet::new(),
            packages: HashMap::new(),
            resolved: HashMap::new(),
            values: HashMap::new(),
            depths: HashMap::new(),
            open: Vec::new(),
        }
    }

    /// Notes a global type under its name. The first of several of one name wins.
    pub(super) fn declare(&mut self, id: ElementId, package: Option<&str>) {
        if let Some(package) = package {
            self.packages.insert(id, package.to_owned());
        }
        let element = self.reader.element(id);
        let Some(name) = element.attribute("name").filter(|name| !name.value.is_empty()) else {
            return;
        };
        if let Some(&first) = self.globals.get(name.value.as_str()) {
            let first = self.reader.place_of(first, "name");
            self.reader
                .findings
                .warning("duplicate-type", name.place, format!("there is already a type `{}`", name.value))
                .related(first, "the first, which is used")
                .hint("rename or remove one of them");
            return;
        }
        self.globals.insert(&name.value, id);
        self.names.push(&name.value);
    }

    /// The type of that name: a global one, or else a built-in one.
    pub(super) fn named(&mut self, name: &str) -> Option<Type> {
        if let Some(&id) = self.globals.get(name) {
            return self.resolve(id);
        }
        Primitive::from_name(name).map(|primitive| Type::Encoding(Arc::new(Encoding::built_in(primitive))))
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.globals.contains_key(name) || Primitive::from_name(name).is_some()
    }

    /// The type that an element declares, or nothing if it has been refused.
    pub(super) fn resolve(&mut self, id: ElementId) -> Option<Type> {
        if let Some(known) = self.resolved.get(&id) {
            return known.clone();
        }
        let element = self.reader.element(id);
        if self.open.contains(&id) {
            let mut why = String::from("this type contains itself");
            if let Some(name) = element.attribute("name") {
                why = format!("type `{}` contains itself", name.value);
            }
            self.reader.findings.error("cyclic-type", element.place, why).hint("break the cycle of `ref`s");
            return None;
        }
        if self.open.len() >= DEEPEST {
            let message = format!("types are nested more than {DEEPEST} deep");
            self.reader.findings.error("too-deep", element.place, message);
            return None;
        }
        self.open.push(id);
        let ty = match element.name.as_str() {
            "type" => self.encoding(id).map(|ty| Type::Encoding(Arc::new(ty))),
            "composite" => self.composite(id).map(|ty| Type::Composite(Arc::new(ty))),
            "enum" => self.enumeration(id).map(|ty| Type::Enum(Arc::new(ty))),
            "set" => self.set(id).map(|ty| Type::Set(Arc::new(ty))),
            _ => None,
        };
        self.open.pop();
        self.resolved.insert(id, ty.clone());
        ty
    }

    fn package(&self, id: ElementId) -> Option<String> {
        self.packages.get(&id).cloned()
    }

    fn encoding(&mut self, id: ElementId) -> Option<Encoding> {
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let presence = self.reader.presence(id).unwrap_or_default();
        let primitive = self.reader.required(id, "primitiveType").and_then(|attribute| {
            let primitive = Primitive::from_name(&attribute.value);
            if primitive.is_none() {
                let message = format!("`{}` is not a primitive type", attribute.value);
                self.reader
                    .findings
                    .error("unknown-primitive", attribute.place, message)
                    .hint("they are char, int8 to int64, uint8 to uint64, float and double")
                    .suggest(&attribute.value, Primitive::ALL.into_iter().map(Primitive::name));
            }
            primitive
        });
        let length = self.reader.number(id, "length");
        let (name, primitive) = (name?, primitive?);
        let character_encoding = match self.reader.element(id).attribute("characterEncoding") {
            Some(attribute) => {
                let charset = attribute.value.trim().to_owned();
                if !is_known_charset(&charset) {
                    let message =
                        format!("`{charset}` is not a character encoding known here; text in it is shown as bytes");
                    self.reader.findings.warning("unknown-charset", attribute.place, message);
                }
                Some(charset)
            }
            None => (primitive == Primitive::Char).then(|| "US-ASCII".to_owned()),
        };
        let null = self.reader.value(id, "nullValue", primitive);
        if null.is_some() && presence != Presence::Optional {
            let place = self.reader.place_of(id, "nullValue");
            self.reader
                .findings
                .warning("null-of-required", place, format!("`{name}` has a `nullValue` and is not optional"))
                .hint("add `presence=\"optional\"`, unless fields of the type say so");
        }
        let (min, max) = (self.reader.value(id, "minValue", primitive), self.reader.value(id, "maxValue", primitive));
        if let (Some(min), Some(max)) = (min, max)
            && above(min, max)
        {
            let place = self.reader.place_of(id, "minValue");
            let message = format!("`minValue` {min} is above `maxValue` {max}");
            self.reader.findings.warning("empty-range", place, message);
        } else if let Some(null) = null
            && min.is_some() | max.is_some()
            && !above(min.unwrap_or(primitive.min()), null)
            && !above(null, max.unwrap_or(primitive.max()))
        {
            let place = self.reader.place_of(id, "nullValue");
            let message = format!("`nullValue` {null} of `{name}` is inside the range of its values");
            self.reader.findings.warning("null-in-range", place, message);
        }
        let mut encoding = Encoding {
            name,
            notes,
            primitive,
            length: length.unwrap_or(1),
            presence,
            min,
            max,
            null,
            constant: None,
            character_encoding,
            package: self.package(id),
            place: self.reader.element(id).place,
        };
        if self.reader.element(id).attribute("valueRef").is_some() {
            encoding.constant = self.type_value_ref(id, &encoding);
            encoding.length = 1;
        } else if presence == Presence::Constant {
            self.constant(id, &mut encoding, length)?;
        }
        if u64::from(encoding.length) * u64::from(primitive.size()) > LONGEST {
            let place = self.reader.place_of(id, "length");
            let message = format!("`{}` has {} elements: more than {LONGEST} bytes", encoding.name, encoding.length);
            self.reader.findings.error("too-long", place, message);
            return None;
        }
        self.values.insert(id, 1);
        Some(encoding)
    }

    /// The value of a constant type, from its text. Also sets the length of text.
    fn constant(&mut self, id: ElementId, encoding: &mut Encoding, length: Option<u32>) -> Option<()> {
        let element = self.reader.element(id);
        let place = element.text_place;
        if element.text.is_empty() {
            self.reader
                .findings
                .error("constant-without-value", place, format!("constant type `{}` has no value", encoding.name))
                .hint("write the value between the tags, or name an enum's value in `valueRef`");
            return None;
        }
        if encoding.primitive != Primitive::Char {
            match encoding.primitive.parse(&element.text) {
                Ok(number) => encoding.constant = Some(Constant::Number(number)),
                Err(why) => {
                    self.reader.findings.error(
                        "malformed-value",
                        place,
                        format!("constant `{}`: {why}", encoding.name),
                    );
                    return None;
                }
            }
            return Some(());
        }
        let charset = encoding.character_encoding.as_deref().unwrap_or("US-ASCII");
        let Some(mut bytes) = encode_text(&element.text, charset) else {
            let message = format!("constant `{}` has characters that {charset} cannot hold", encoding.name);
            self.reader.findings.error("malformed-value", place, message);
            return None;
        };
        let characters = element.text.chars().count();
        let declared = length.map_or(characters, |length| length as usize);
        if characters > declared {
            let message = format!("`{}` is {characters} characters long, and `length` is {declared}", element.text);
            self.reader.findings.error("constant-too-long", place, message).hint("make `length` as long as the text");
            return None;
        }
        if declared as u64 > LONGEST {
            self.reader.findings.error("too-long", place, format!("{declared} characters are too many"));
            return None;
        }
        encoding.length = declared as u32;
        encoding.constant = Some(if declared == 1 {
            Constant::Number(Number::Int(i128::from(bytes[0])))
        } else {
            bytes.resize(declared.max(bytes.len()), 0);
            encoding.length = bytes.len() as u32;
            Constant::Text(bytes)
        });
        Some(())
    }

    fn type_value_ref(&mut self, id: ElementId, encoding: &Encoding) -> Option<Constant> {
        if encoding.presence != Presence::Constant {
            let place = self.reader.place_of(id, "valueRef");
            let message = format!("type `{}` has a `valueRef` and is not constant", encoding.name);
            self.reader.findings.error("value-ref", place, message).hint("add `presence=\"constant\"`");
            return None;
        }
        let (of, constant) = self.value_ref(id)?;
        self.same_primitive(id, encoding.primitive, &of);
        Some(constant)
    }

    /// The value that the `valueRef` of a type or a field names, with its enum.
    pub(super) fn value_ref(&mut self, id: ElementId) -> Option<(Arc<Enum>, Constant)> {
        let attribute = self.reader.element(id).attribute("valueRef")?;
        let Some((name, value)) = attribute.value.split_once('.') else {
            let message = format!("`{}` does not name a value of an enum", attribute.value);
            self.reader.findings.error("value-ref", attribute.place, message).hint("write `Enum.Value`");
            return None;
        };
        let Some(&target) = self.globals.get(name) else {
            let (tree, globals) = (self.reader.tree, &self.globals);
            let is_enum = |name: &&str| globals.get(name).is_some_and(|&id| tree.get(id).name == "enum");
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("there is no enum `{name}`"))
                .suggest(name, self.names.iter().copied().take(MOST_NAMES).filter(is_enum));
            return None;
        };
        if self.reader.element(target).name != "enum" {
            let place = self.reader.place_of(target, "name");
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("`{name}` is not an enum"))
                .related(place, "it is declared here");
            return None;
        }
        let Some(Type::Enum(of)) = self.resolve(target) else {
            return None;
        };
        let found = self.enum_values.get(&target).and_then(|values| of.values.get(*values.get(value)?));
        let Some(found) = found else {
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("enum `{name}` has no value `{value}`"))
                .related(of.place, "the enum")
                .suggest(value, of.values.iter().map(|value| value.name.as_str()));
            return None;
        };
        let constant = Constant::Enum { name: name.to_owned(), value: value.to_owned(), number: found.number };
        Some((of, constant))
    }

    pub(super) fn same_primitive(&mut self, id: ElementId, primitive: Primitive, of: &Enum) {
        if primitive != of.primitive {
            let place = self.reader.place_of(id, "valueRef");
            let message = format!("the type is {primitive}, and enum `{}` is {}", of.name, of.primitive);
            self.reader.findings.error("value-ref", place, message).related(of.place, "the enum");
        }
    }

    fn composite(&mut self, id: ElementId) -> Option<Composite> {
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let tree = self.reader.tree;
        let global = name.as_deref().is_some_and(|name| self.globals.get(name) == Some(&id));
        let variable = global && name.as_deref().is_some_and(|name| self.data_types.contains(name));
        let mut members: Vec<Member> = Vec::new();
        let mut names: HashMap<String, Place> = HashMap::new();
        let (mut end, mut values, mut depth, mut sound) = (0_u64, 0_u64, 1, true);
        for child in tree.children(id) {
            let element = self.reader.element(child);
            let kind = element.name.as_str();
            match kind {
                "type" | "enum" | "set" | "composite" | "ref" => {}
                "data" | "group" | "field" => {
                    let message = format!("a composite cannot hold a {kind}");
                    self.reader
                        .findings
                        .error("composite-member", element.place, message)
                        .hint("a composite holds `type`, `enum`, `set`, `composite` and `ref`");
                    sound = false;
                    continue;
                }
                _ => {
                    let message = format!("a `{kind}` means nothing in a composite and is ignored");
                    self.reader
                        .findings
                        .warning("unknown-element", element.place, message)
                        .suggest(kind, ["type", "enum", "set", "composite", "ref"].into_iter());
                    continue;
                }
            }
            let Some(member_name) = self.reader.required(child, "name") else {
                sound = false;
                continue;
            };
            if let Some(&first) = names.get(&member_name.value) {
                let message = format!("the composite already has a member `{}`", member_name.value);
                self.reader.findings.error("duplicate-member", member_name.place, message).related(first, "the first");
                sound = false;
                continue;
            }
            names.insert(member_name.value.clone(), member_name.place);
            let Some((ty, member_notes, target)) = self.member_type(child) else {
                sound = false;
                continue;
            };
            if let Some(offset) = self.reader.number(child, "offset") {
                // Here 0 is an offset, unlike a field's.
                if u64::from(offset) < end {
                    let place = self.reader.place_of(child, "offset");
                    let message = format!(
                        "member `{}` at offset {offset} overlaps what is before it, which ends at {end}",
                        member_name.value
                    );
                    self.reader.findings.error("member-offset", place, message).hint(format!("use {end} or more"));
                    sound = false;
                } else {
                    end = offset.into();
                }
            }
            if let Type::Enum(of) = &ty
                && of.presence == Presence::Constant
            {
                let message = format!("enum `{}` is constant, and a composite cannot say which value it has", of.name);
                self.reader.findings.error("constant-without-value", element.place, message);
                sound = false;
            }
            let offset = end.min(LONGEST) as u32;
            let on_the_wire = variable && member_name.value == "varData";
            end += if on_the_wire { 0 } else { u64::from(ty.length()) };
            values = values.saturating_add(self.values.get(&target).copied().unwrap_or(1));
            depth = depth.max(1 + self.depths.get(&target).copied().unwrap_or(0));
            members.push(Member {
                name: member_name.value.clone(),
                notes: member_notes,
                offset,
                ty,
                reference: kind == "ref",
                place: element.place,
            });
        }
        let place = self.reader.element(id).place;
        if end > LONGEST {
            self.reader.findings.error("too-long", place, format!("the composite has more than {LONGEST} bytes"));
            return None;
        }
        if values > MOST_VALUES {
            let message = format!("the composite holds more than {MOST_VALUES} values");
            self.reader.findings.error("too-many-values", place, message);
            return None;
        }
        // Those that were resolved before are not open, and deep all the same.
        if depth > DEEPEST {
            self.reader.findings.error("too-deep", place, format!("types are nested more than {DEEPEST} deep"));
            return None;
        }
        self.depths.insert(id, depth);
        self.values.insert(id, values.max(1));
        if !sound {
            return None;
        }
        Some(Composite { name: name?, notes, members, length: end as u32, variable, package: self.package(id), place })
    }

    fn member_type(&mut self, id: ElementId) -> Option<(Type, Notes, ElementId)> {
        if self.reader.element(id).name != "ref" {
            let ty = self.resolve(id)?;
            let notes = ty.notes().clone();
            return Some((ty, notes, id));
        }
        let target_name = self.reader.required(id, "type")?;
        let own = self.reader.notes(id);
        let Some(&target) = self.globals.get(target_name.value.as_str()) else {
            let message = format!("there is no type `{}` to refer to", target_name.value);
            let found = self.reader.findings.error("unknown-type", target_name.place, message);
            if Primitive::from_name(&target_name.value).is_some() {
                found.hint(format!(
                    "a `ref` reaches only declared types: use `<type primitiveType=\"{}\">`",
                    target_name.value
                ));
            } else {
                found.suggest(&target_name.value, self.names.iter().copied());
            }
            return None;
        };
        let ty = self.resolve(target)?;
        let mut notes = ty.notes().clone();
        if self.reader.element(id).attribute("sinceVersion").is_some() {
            notes.since = own.since;
        }
        notes.deprecated = notes.deprecated.max(own.deprecated);
        notes.description = own.description.or(notes.description);
        Some((ty, notes, target))
    }

    /// What an enum or a set is sent as: a primitive, or a named type of one element, whose own values then count.
    fn encoding_type(&mut self, id: ElementId, direct: &[Primitive]) -> Option<Encoding> {
        let attribute = self.reader.required(id, "encodingType")?;
        if let Some(&target) = self.globals.get(attribute.value.as_str()) {
            return match self.resolve(target)? {
                Type::Encoding(encoding) if encoding.length == 1 => Some((*encoding).clone()),
                other => {
                    let message = format!("`{}` is not a type of one element", attribute.value);
                    self.reader
                        .findings
                        .error("encoding-type", attribute.place, message)
                        .related(other.place(), "it is declared here");
                    None
                }
            };
        }
        match Primitive::from_name(&attribute.value) {
            Some(primitive) if direct.contains(&primitive) => Some(Encoding::built_in(primitive)),
            found => {
                let names: Vec<&str> = direct.iter().map(|primitive| primitive.name()).collect();
                let message = match found {
                    Some(primitive) => format!("{primitive} cannot encode a {}", self.reader.element(id).name),
                    None => format!("there is no type `{}`", attribute.value),
                };
                self.reader
                    .findings
                    .error("encoding-type", attribute.place, message)
                    .hint(format!("use {}, or declare a `type` and name it", names.join(", ")))
                    .suggest(&attribute.value, names.into_iter());
                None
            }
        }
    }

    fn enumeration(&mut self, id: ElementId) -> Option<Enum> {
        use Primitive::{Char, Int8, Int16, Int32, UInt8, UInt16};
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let presence = self.reader.presence(id).unwrap_or_default();
        let encoding = self.encoding_type(id, &[Char, UInt8, Int8, UInt16, Int16, Int32])?;
        let primitive = encoding.primitive;
        if primitive.is_float() {
            let place = self.reader.place_of(id, "encodingType");
            self.reader.findings.error("encoding-type", place, format!("{primitive} cannot encode an enum"));
            return None;
        }
        let own_null = self.reader.value(id, "nullValue", primitive);
        let null = own_null.or(encoding.null).unwrap_or(primitive.null());
        let mut values: Vec<EnumValue> = Vec::new();
        let (mut by_name, mut by_number) = (HashMap::new(), HashMap::new());
        let tree = self.reader.tree;
        for child in tree.children(id) {
            let element = self.reader.element(child);
            if element.name != "validValue" {
                self.unknown_element(child, "an enum", &["validValue"]);
                continue;
            }
            let Some(value_name) = self.reader.required(child, "name") else { continue };
            let value_notes = self.reader.notes(child);
            let number = match primitive.parse(&element.text) {
                Ok(Number::Int(number)) => number,
                Ok(Number::Float(_)) => continue,
                Err(why) => {
                    let message = format!("value `{}`: {why}", value_name.value);
                    self.reader.findings.error("malformed-value", element.text_place, message);
                    continue;
                }
            };
            if primitive != Char {
                self.check_enum_number(element.text_place, &value_name.value, number, null, &encoding);
            }
            let value = EnumValue {
                name: value_name.value.clone(),
                notes: value_notes,
                number: Number::Int(number),
                place: element.place,
            };
            if let Some(&first) = by_number.get(&number) {
                let message = format!("`{}` has the same value as another: {}", value.name, element.text.trim());
                self.reader
                    .findings
                    .warning("duplicate-value", element.text_place, message)
                    .related(first, "the first");
            }
            by_number.entry(number).or_insert(element.text_place);
            match by_name.get(&value.name) {
                Some(&at) => {
                    let previous: &mut EnumValue = &mut values[at];
                    let message = format!("there is already a value `{}`; the later one counts", value.name);
                    self.reader
                        .findings
                        .warning("duplicate-value", value_name.place, message)
                        .related(previous.place, "the first");
                    *previous = value;
                }
                None => {
                    by_name.insert(value.name.clone(), values.len());
                    values.push(value);
                }
            }
        }
        self.values.insert(id, 1);
        self.enum_values.insert(id, by_name);
        let (package, place) = (self.package(id), self.reader.element(id).place);
        Some(Enum { name: name?, notes, primitive, presence, null, values, package, place })
    }

    fn check_enum_number(&mut self, place: Place, name: &str, number: i128, null: Number, encoding: &Encoding) {
        if Number::Int(number) == null {
            self.reader
                .findings
                .error("enum-value-is-null", place, format!("value `{name}` is {number}, which means null"))
                .hint("choose another value, or another `nullValue`");
            return;
        }
        // For a 64-bit unsigned type the primitive's own range is right, though the official tool cannot use it.
        if let (Number::Int(least), Number::Int(greatest)) = (encoding.applicable_min(), encoding.applicable_max())
            && (number < least || number > greatest)
        {
            let message = format!("value `{name}` is {number}, outside {least} to {greatest}");
            self.reader.findings.error("enum-value-range", place, message);
        }
    }

    fn set(&mut self, id: ElementId) -> Option<Set> {
        use Primitive::{UInt8, UInt16, UInt32, UInt64};
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        self.reader.presence(id);
        let primitive = self.encoding_type(id, &[UInt8, UInt16, UInt32, UInt64])?.primitive;
        if !primitive.is_unsigned() {
            let place = self.reader.place_of(id, "encodingType");
            if primitive.is_float() {
                self.reader.findings.error("encoding-type", place, format!("{primitive} cannot encode a set"));
                return None;
            }
            let message = format!("a set over {primitive}, which is not unsigned");
            self.reader.findings.warning("signed-set", place, message).hint("use an unsigned type of the same width");
        }
        let bits = primitive.size() * 8;
        let mut choices: Vec<Choice> = Vec::new();
        let (mut by_name, mut by_bit) = (HashMap::new(), HashMap::new());
        let tree = self.reader.tree;
        for child in tree.children(id) {
            let element = self.reader.element(child);
            if element.name != "choice" {
                self.unknown_element(child, "a set", &["choice"]);
                continue;
            }
            let Some(choice_name) = self.reader.required(child, "name") else { continue };
            let choice_notes = self.reader.notes(child);
            let bit = match element.text.trim().parse::<u32>() {
                Ok(bit) if bit < bits => bit as u8,
                _ => {
                    let message = format!(
                        "choice `{}` is `{}`, not a bit from 0 to {}",
                        choice_name.value,
                        element.text.trim(),
                        bits - 1
                    );
                    self.reader
                        .findings
                        .error("choice-bit", element.text_place, message)
                        .hint("a choice is the number of a bit, not its mask");
                    continue;
                }
            };
            let choice = Choice { name: choice_name.value.clone(), notes: choice_notes, bit, place: element.place };
            if let Some(&first) = by_bit.get(&bit) {
                let message = format!("`{}` is the same bit as another: {bit}", choice.name);
                self.reader
                    .findings
                    .warning("duplicate-choice", element.text_place, message)
                    .related(first, "the first");
            }
            by_bit.entry(bit).or_insert(element.text_place);
            match by_name.get(&choice.name) {
                Some(&at) => {
                    let previous: &mut Choice = &mut choices[at];
                    let message = format!("there is already a choice `{}`; the later one counts", choice.name);
                    self.reader
                        .findings
                        .warning("duplicate-choice", choice_name.place, message)
                        .related(previous.place, "the first");
                    *previous = choice;
                }
                None => {
                    by_name.insert(choice.name.clone(), choices.len());
                    choices.push(choice);
                }
            }
        }
        self.values.insert(id, 1);
        let (package, place) = (self.package(id), self.reader.element(id).place);
        Some(Set { name: name?, notes, primitive, choices, package, place })
    }

    pub(super) fn unknown_element(&mut self, id: ElementId, parent: &str, known: &[&str]) {
        let element = self.reader.element(id);
        let message = format!("a `{}` means nothing in {parent} and is ignored", element.name);
        self.reader
            .findings
            .warning("unknown-element", element.place, message)
            .suggest(&element.name, known.iter().copied());
    }
}

impl Encoding {
    /// A primitive used as a type, without a declaration.
    pub(crate) fn built_in(primitive: Primitive) -> Self {
        Self {
            name: primitive.name().to_owned(),
            notes: Notes::default(),
            primitive,
            length: 1,
            presence: Presence::Required,
            min: None,
            max: None,
            null: None,
            constant: None,
            character_encoding: None,
            package: None,
            place: Place::NOWHERE,
        }
    }
}

/// Whether one number is greater than another, or is not in order with it at all.
fn above(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one > other,
        (Number::Float(one), Number::Float(other)) => one > other || one.is_nan() || other.is_nan(),
        _ => false,
    }
}

fn is_known_charset(name: &str) -> bool {
    const KNOWN: [&str; 14] = [
        "ASCII",
        "US-ASCII",
        "UTF-8",
        "UTF8",
        "ISO-8859-1",
        "ISO8859_1",
        "LATIN1",
        "ISO-8859-15",
        "WINDOWS-1252",
        "GB18030",
        "GBK",
        "GB2312",
        "SHIFT_JIS",
        "BIG5",
    ];
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) || name.to_ascii_uppercase().starts_with("UTF-")
}

/// Text in a character encoding, where that is in reach without tables.
pub(crate) fn encode_text(text: &str, charset: &str) -> Option<Vec<u8>> {
    if charset.eq_ignore_ascii_case("UTF-8") || charset.eq_ignore_ascii_case("UTF8") {
        return Some(text.as_bytes().to_vec());
    }
    if charset.eq_ignore_ascii_case("ISO-8859-1") || charset.eq_ignore_ascii_case("LATIN1") {
        return text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    }
    text.is_ascii().then(|| text.as_bytes().to_vec())
}
