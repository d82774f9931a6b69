//! Generates schemas and messages from bytes, which a property test or a fuzzer provides. Fewer bytes, and zeros,
//! generate less. Used by the tests of the codecs and by the build of the conformance crate.

#![allow(dead_code, unreachable_pub, reason = "each user of this takes what it needs")]

use std::fmt::Write as _;

use gannet_codecs::dynamic::Value;
use gannet_codecs::schema::{
    Body, Encoding, Field, Group, Message, Number, Options, Presence, Primitive, Schema, Type, compile_text,
};

/// Bytes that decide between alternatives; zeros when they are used up.
#[derive(Debug)]
pub struct Entropy<'a> {
    bytes: &'a [u8],
}

impl<'a> Entropy<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let (&first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        first
    }

    /// A number in `0..limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    /// Returns true once in `odds` times.
    pub fn once_in(&mut self, odds: usize) -> bool {
        self.below(odds) == odds - 1
    }

    pub fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    pub fn one<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A message of the schema with values, in the form that reading it returns.
pub fn message<'s>(schema: &'s Schema, entropy: &mut Entropy<'_>) -> Option<(&'s Message, Value)> {
    let message = schema.messages.get(entropy.below(schema.messages.len()))?;
    Some((message, body(&message.body, entropy)))
}

pub fn body(body_: &Body, entropy: &mut Entropy<'_>) -> Value {
    let mut record = Vec::new();
    for field in &body_.fields {
        if field.presence != Presence::Constant {
            record.push((field.name.clone(), value(&field.ty, field.presence, entropy)));
        }
    }
    for group in &body_.groups {
        record.push((group.name.clone(), entries(group, entropy)));
    }
    for data in &body_.data {
        let most = data.length_type().map_or(0, |length| bound(length.applicable_max()));
        let length = entropy.below(20).min(most);
        record.push((data.name.clone(), Value::Bytes((0..length).map(|_| entropy.byte()).collect())));
    }
    Value::Record(record)
}

fn bound(number: Number) -> usize {
    number.as_int().and_then(|bound| usize::try_from(bound).ok()).unwrap_or(0)
}

fn entries(group: &Group, entropy: &mut Entropy<'_>) -> Value {
    let count = group.dimension.number("numInGroup").map(|(_, encoding)| encoding);
    let (least, most) = count.map_or((0, 0), |count| (count.min.map_or(0, bound), bound(count.applicable_max())));
    let count = entropy.below(4).clamp(least, most.max(least));
    Value::List((0..count).map(|_| body(&group.body, entropy)).collect())
}

pub fn value(ty: &Type, presence: Presence, entropy: &mut Entropy<'_>) -> Value {
    match ty {
        Type::Encoding(encoding) => encoded(encoding, presence, entropy),
        Type::Composite(of) => {
            let sent = of.members.iter().filter(|member| {
                member.ty.presence() != Presence::Constant && !(of.variable && member.name == "varData")
            });
            Value::Record(
                sent.map(|member| (member.name.clone(), value(&member.ty, member.ty.presence(), entropy))).collect(),
            )
        }
        Type::Enum(of) => {
            let found = if of.values.is_empty() || entropy.once_in(6) {
                number(of.primitive, entropy)
            } else {
                entropy.one(&of.values).number
            };
            match of.value(found) {
                _ if presence == Presence::Optional && found == of.null => Value::Null,
                Some(value) => Value::Text(value.name.clone()),
                None => tree(found, of.primitive),
            }
        }
        Type::Set(of) => {
            let bits = of.primitive.size() * 8;
            Value::Bits(entropy.number() >> (64 - bits))
        }
    }
}

fn encoded(encoding: &Encoding, presence: Presence, entropy: &mut Entropy<'_>) -> Value {
    let primitive = encoding.primitive;
    if encoding.length == 1 {
        let null = encoding.null_for(presence);
        let found = if entropy.once_in(4) { null } else { number(primitive, entropy) };
        if presence == Presence::Optional && found == null {
            return Value::Null;
        }
        return tree(found, primitive);
    }
    if primitive == Primitive::Char {
        let text = entropy.below(encoding.length as usize + 1);
        let mut bytes = vec![0; encoding.length as usize];
        let printable = !entropy.once_in(3);
        for byte in &mut bytes[..text] {
            *byte = if printable { b' ' + entropy.byte() % 95 } else { entropy.byte() };
        }
        return Value::Bytes(bytes);
    }
    Value::List((0..encoding.length).map(|_| tree(number(primitive, entropy), primitive)).collect())
}

fn number(primitive: Primitive, entropy: &mut Entropy<'_>) -> Number {
    let raw = match entropy.below(4) {
        0 => u64::from(entropy.byte()),
        1 => !u64::from(entropy.byte()),
        _ => entropy.number(),
    };
    let order = gannet_codecs::schema::ByteOrder::LittleEndian;
    primitive.read(&raw.to_le_bytes(), order).unwrap_or(Number::Int(0))
}

fn tree(number: Number, primitive: Primitive) -> Value {
    match number {
        Number::Int(value) => Value::Int(value),
        Number::Float(value) if primitive == Primitive::Float => Value::Float(value as f32),
        Number::Float(value) => Value::Double(value),
    }
}

/// Whether everything in `part` is in `whole` with the same value. Floats are compared by their bits, except for NaN.
pub fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Record(part), whole) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|other| is_in(value, other)))
        }
        (Value::List(part), Value::List(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_in(part, whole))
        }
        (Value::Float(part), Value::Float(whole)) => {
            part.to_bits() == whole.to_bits() || part.is_nan() && whole.is_nan()
        }
        (Value::Double(part), Value::Double(whole)) => {
            part.to_bits() == whole.to_bits() || part.is_nan() && whole.is_nan()
        }
        (part, whole) => part == whole,
    }
}

/// The part of `part` that another version of the schema has as well, by name and level.
pub fn common(part: &Value, other: &Body) -> Value {
    let Value::Record(fields) = part else { return part.clone() };
    let mut kept = Vec::new();
    for (name, value) in fields {
        let known = |field: &Field| field.name == *name && field.presence != Presence::Constant;
        if other.fields.iter().any(known) || other.data.iter().any(|data| data.name == *name) {
            kept.push((name.clone(), value.clone()));
        } else if let Some(group) = other.groups.iter().find(|group| group.name == *name)
            && let Value::List(entries) = value
        {
            let entries = entries.iter().map(|entry| common(entry, &group.body)).collect();
            kept.push((name.clone(), Value::List(entries)));
        }
    }
    Value::Record(kept)
}

/// The last version of [`Plan`]s, which have the versions from 0 on.
pub const LATEST: usize = 3;

/// The number of plans that are compiled into the conformance crate.
pub const COMPILED: usize = 12;

/// A generated schema: the same types and messages in versions 0 to [`LATEST`]. Each version only adds to the one
/// before, where SBE allows that.
#[derive(Debug)]
pub struct Plan {
    attributes: String,
    types: String,
    messages: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    name: String,
    since: usize,
    attributes: String,
    /// Each with the version that introduced it.
    fields: Vec<(usize, String)>,
    groups: Vec<Level>,
    data: Vec<(usize, String)>,
}

const SCALARS: [&str; 11] =
    ["char", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double"];
/// Special names that are used for fields and the like, besides plain ones.
const NAMES: [&str; 12] =
    ["type", "self", "block", "Self", "wrap", "value", "fooBar", "foo_bar", "version", "count", "core", "9"];

impl Plan {
    pub fn new(entropy: &mut Entropy<'_>) -> Self {
        let mut types = String::new();
        header(&mut types, entropy);
        let order = if entropy.once_in(3) { " byteOrder='bigEndian'" } else { "" };
        let mut pool: Vec<String> = SCALARS.iter().map(|&name| name.to_owned()).collect();
        named_types(&mut types, &mut pool, entropy);
        let count = 1 + entropy.below(2);
        let mut messages = Vec::new();
        for at in 0..count {
            let mut level = level(&format!("M{at}"), &pool, 0, entropy);
            level.since = if at == 0 { 0 } else { entropy.below(LATEST + 1) };
            messages.push(level);
        }
        Self { attributes: order.to_owned(), types, messages }
    }

    /// The plan for a number, the same each time.
    pub fn numbered(number: usize) -> Self {
        let mut state = number as u64 + 1;
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        Self::new(&mut Entropy::new(&bytes))
    }

    /// The schema at a version, compiled. It is valid.
    pub fn schema(&self, version: usize) -> Schema {
        let xml = self.xml(version);
        let compiled = compile_text("made-up.xml", &xml, &Options::default());
        compiled.unwrap_or_else(|report| panic!("{xml}\n{report}")).schema
    }

    /// The schema's XML at a version.
    pub fn xml(&self, version: usize) -> String {
        let mut xml = format!(
            "<sbe:messageSchema xmlns:sbe='http://fixprotocol.io/2016/sbe' package='made.up' id='77' version='{version}'{}>\n\
             <types>\n{}</types>\n",
            self.attributes, self.types
        );
        for (id, message) in self.messages.iter().enumerate().filter(|(_, message)| message.since <= version) {
            let _ = writeln!(xml, "<sbe:message name='{}' id='{id}'{}>", message.name, message.since_attribute());
            message.write(&mut xml, version);
            xml.push_str("</sbe:message>\n");
        }
        xml.push_str("</sbe:messageSchema>\n");
        xml
    }
}

impl Level {
    fn since_attribute(&self) -> String {
        if self.since == 0 { String::new() } else { format!(" sinceVersion='{}'", self.since) }
    }

    fn write(&self, xml: &mut String, version: usize) {
        let mut id = 0;
        for (since, text) in self.fields.iter().filter(|(since, _)| *since <= version) {
            id += 1;
            let _ = writeln!(xml, "<field id='{id}'{}{text}/>", since_text(*since));
        }
        for group in self.groups.iter().filter(|group| group.since <= version) {
            id += 1;
            let _ =
                writeln!(xml, "<group id='{id}' name='{}'{}{}>", group.name, group.attributes, group.since_attribute());
            group.write(xml, version);
            xml.push_str("</group>\n");
        }
        for (since, text) in self.data.iter().filter(|(since, _)| *since <= version) {
            id += 1;
            let _ = writeln!(xml, "<data id='{id}'{}{text}/>", since_text(*since));
        }
    }
}

fn since_text(since: usize) -> String {
    if since == 0 { String::new() } else { format!(" sinceVersion='{since}'") }
}

/// The header, two dimensions and two kinds of data, each in one of the shapes that SBE allows.
fn header(types: &mut String, entropy: &mut Entropy<'_>) {
    let mut members = vec!["blockLength", "templateId", "schemaId", "version"];
    if entropy.once_in(3) {
        members.reverse();
    }
    let _ = write!(types, "<composite name='messageHeader'>");
    let mut offset = 0;
    for member in members {
        let width = if entropy.once_in(4) { "uint32" } else { "uint16" };
        offset += if entropy.once_in(4) { 3 } else { 0 };
        let _ = write!(types, "<type name='{member}' primitiveType='{width}' offset='{offset}'/>");
        offset += if width == "uint32" { 4 } else { 2 };
    }
    if entropy.once_in(4) {
        types.push_str("<type name='stranger' primitiveType='uint16'/>");
    }
    types.push_str("</composite>\n");
    for (name, count) in
        [("groupSizeEncoding", "primitiveType='uint8'"), ("wide", "primitiveType='uint32' maxValue='9'")]
    {
        let gap = if entropy.once_in(3) { 5 } else { 2 };
        let least = if entropy.once_in(5) { " minValue='1'" } else { "" };
        let _ = writeln!(
            types,
            "<composite name='{name}'><type name='blockLength' primitiveType='uint16'/>\
             <type name='numInGroup' {count}{least} offset='{gap}'/></composite>"
        );
    }
    for (name, body) in [("text", "primitiveType='char' characterEncoding='UTF-8'"), ("bytes", "primitiveType='uint8'")]
    {
        let length = *entropy.one(&["uint8", "uint16", "uint32' maxValue='1000"]);
        let _ = writeln!(
            types,
            "<composite name='{name}'><type name='length' primitiveType='{length}'/>\
             <type name='varData' {body} length='0'/></composite>"
        );
    }
}

fn literal(primitive: &str, entropy: &mut Entropy<'_>) -> String {
    match primitive {
        "char" => char::from(b'A' + entropy.byte() % 26).to_string(),
        "float" | "double" => format!("{}.5", entropy.byte()),
        _ => (entropy.byte() % 100).to_string(),
    }
}

fn plain_type(name: &str, entropy: &mut Entropy<'_>) -> String {
    let primitive = *entropy.one(&SCALARS);
    let front = format!("<type name='{name}' primitiveType='{primitive}'");
    match entropy.below(7) {
        0 => format!("{front} presence='constant'>{}</type>\n", literal(primitive, entropy)),
        1 => {
            let length = [0, 2, 3, 33][entropy.below(4)];
            let charset = if primitive == "char" { *entropy.one(&["", " characterEncoding='ISO-8859-1'"]) } else { "" };
            format!("{front} length='{length}'{charset}/>\n")
        }
        2 => format!("{front} presence='optional'/>\n"),
        3 => format!("{front} presence='optional' nullValue='{}'/>\n", literal(primitive, entropy)),
        _ => format!("{front}/>\n"),
    }
}

fn enumeration(name: &str, entropy: &mut Entropy<'_>) -> String {
    let primitive = *entropy.one(&["uint8", "int8", "char", "uint16", "int32"]);
    let null = if entropy.once_in(3) && primitive != "char" { " nullValue='101'" } else { "" };
    let mut text = format!("<enum name='{name}' encodingType='{primitive}'{null}>");
    for at in 0..entropy.below(4) {
        let value = if primitive == "char" { char::from(b'a' + at as u8).to_string() } else { at.to_string() };
        let _ = write!(text, "<validValue name='v{at}'>{value}</validValue>");
    }
    text.push_str("</enum>\n");
    text
}

fn set(name: &str, entropy: &mut Entropy<'_>) -> String {
    let primitive = *entropy.one(&["uint8", "uint16", "uint32", "uint64"]);
    let mut text = format!("<set name='{name}' encodingType='{primitive}'>");
    for at in 0..entropy.below(8) {
        let _ = write!(text, "<choice name='c{at}'>{at}</choice>");
    }
    text.push_str("</set>\n");
    text
}

/// Declares types, and adds those that a field can have to `pool`.
fn named_types(types: &mut String, pool: &mut Vec<String>, entropy: &mut Entropy<'_>) {
    for at in 0..entropy.below(5) {
        types.push_str(&plain_type(&format!("T{at}"), entropy));
        pool.push(format!("T{at}"));
    }
    for at in 0..entropy.below(3) {
        types.push_str(&enumeration(&format!("E{at}"), entropy));
        pool.push(format!("E{at}"));
    }
    for at in 0..entropy.below(3) {
        types.push_str(&set(&format!("S{at}"), entropy));
        pool.push(format!("S{at}"));
    }
    for at in 0..entropy.below(4) {
        let composite = composite(&format!("C{at}"), at, 0, entropy);
        types.push_str(&composite);
        pool.push(format!("C{at}"));
    }
}

/// A composite that may refer to the `declared` composites before it.
fn composite(name: &str, declared: usize, depth: usize, entropy: &mut Entropy<'_>) -> String {
    let mut text = format!("<composite name='{name}'>\n");
    for at in 0..entropy.below(5) {
        let member = if entropy.once_in(6) { NAMES[(at + depth) % NAMES.len()].to_owned() } else { format!("m{at}") };
        match entropy.below(6) {
            0 => text.push_str(&enumeration(&member, entropy)),
            1 => text.push_str(&set(&member, entropy)),
            2 if declared > 0 => {
                let _ = writeln!(text, "<ref name='{member}' type='C{}'/>", entropy.below(declared));
            }
            3 if depth < 2 => text.push_str(&composite(&member, declared, depth + 1, entropy)),
            _ => text.push_str(&plain_type(&member, entropy)),
        }
    }
    text.push_str("</composite>\n");
    text
}

fn level(name: &str, pool: &[String], depth: usize, entropy: &mut Entropy<'_>) -> Level {
    let mut level = Level {
        name: name.to_owned(),
        since: 0,
        attributes: if depth > 0 && entropy.once_in(3) { " dimensionType='wide'".into() } else { String::new() },
        fields: Vec::new(),
        groups: Vec::new(),
        data: Vec::new(),
    };
    let mut since = 0;
    let mut names = NAMES.iter().cycle().skip(entropy.below(NAMES.len()));
    let mut name = |kind: &str, at: usize, entropy: &mut Entropy<'_>| match names.next() {
        Some(name) if at < 4 && entropy.once_in(4) => (*name).to_owned(),
        _ => format!("{kind}{at}"),
    };
    for at in 0..entropy.below(6) {
        since = (since + usize::from(entropy.once_in(3))).min(LATEST);
        let ty = entropy.one(pool);
        // A constant type makes a constant field, which cannot be optional.
        let presence = if !ty.starts_with('T') && entropy.once_in(3) { " presence='optional'" } else { "" };
        level.fields.push((since, format!(" name='{}' type='{ty}'{presence}", name("f", at, entropy))));
    }
    if depth < 3 {
        since = 0;
        for at in 0..entropy.below(3) {
            // Only fields can be added to an entry, since older readers could not skip anything else.
            since = if depth == 0 { (since + usize::from(entropy.once_in(3))).min(LATEST) } else { 0 };
            let mut group = self::level(&format!("G{depth}{at}"), pool, depth + 1, entropy);
            group.since = since;
            level.groups.push(group);
        }
    }
    // After groups of a later version, data cannot be of an older one, or it would have to move.
    for at in 0..entropy.below(3) {
        since = if depth == 0 { (since + usize::from(entropy.once_in(3))).min(LATEST) } else { 0 };
        let ty = *entropy.one(&["text", "bytes"]);
        level.data.push((since, format!(" name='d{at}' type='{ty}'")));
    }
    level
}
