//! Tokens to a schema: the typed model that everything else starts from, with every rule checked that the rest relies on.
//! Tokens may come from anybody's file, so nothing in them is believed: not a length, not an offset, not a pair of names.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use super::IrError;
use super::token::{Ir, Signal, Token, spans};
use crate::schema::{
    Body, ByteOrder, Choice, Composite, Constant, Data, Encoding, Enum, EnumValue, Field, Group, Member, Message,
    Notes, Number, Place, Presence, Primitive, Schema, Set, Sources, Type,
};

/// Composites in composites and groups in groups, as for schemas in XML.
const DEEPEST: usize = 32;
/// Bytes of one type or block, likewise.
const LONGEST: u32 = 1 << 24;

impl Ir {
    /// The schema that the tokens are of.
    ///
    /// # Errors
    ///
    /// The tokens are no schema, or one that messages cannot be decoded by.
    pub fn to_schema(&self) -> Result<Schema, IrError> {
        let mut types = Types::default();
        for tokens in std::iter::once(&self.header).chain(&self.messages) {
            types.note_versions(tokens)?;
        }
        let first = self.header.iter().find(|token| token.signal == Signal::Encoding);
        let order = first.map_or(ByteOrder::LittleEndian, |token| token.byte_order);
        let mut reader = Reader::new(&self.header, &mut types)?;
        let header = match reader.ty(None, 0)? {
            Type::Composite(header) => header,
            _ => return Err(wrong(&self.header[0], "is in the place of the message header and is not a composite")),
        };
        types.declare(&Type::Composite(Arc::clone(&header)));
        let place = &self.header[0];
        for member in ["blockLength", "templateId", "schemaId", "version"] {
            framing(place, &header, member)?;
        }
        let mut schema = Schema {
            package: self.package.clone(),
            id: unsigned(place, "the schema's id", self.id)?,
            version: unsigned(place, "the schema's version", self.version)?,
            semantic_version: self.semantic_version.clone(),
            description: None,
            byte_order: order,
            header,
            types: Vec::new(),
            messages: Vec::new(),
            sources: Sources::default(),
            place: Place::NOWHERE,
        };
        fits(place, &schema.header, "schemaId", schema.id)?;
        fits(place, &schema.header, "version", schema.version)?;
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for tokens in &self.messages {
            let message = Reader::new(tokens, &mut types)?.message(&schema.header)?;
            if !ids.insert(message.id) || !names.insert(message.name.clone()) {
                return Err(wrong(&tokens[0], "has the id or the name of another message"));
            }
            schema.messages.push(message);
        }
        schema.types = types.global;
        Ok(schema)
    }
}

/// The types that tokens have declared: the same tokens in two places are one type, as they were in the schema.
#[derive(Default)]
struct Types {
    /// By what makes a type itself, without what a place lends it.
    known: HashMap<Key, Type>,
    /// The earliest version that any place gives a type: the later ones are those of fields.
    versions: HashMap<Key, i32>,
    seeds: [RandomState; 2],
    global: Vec<Type>,
    global_names: HashSet<String>,
}

/// A hash of the tokens of a type. With seeds of its own for each schema, and this long, no two types have the same.
type Key = [u64; 2];

impl Types {
    /// Remembers the earliest version of each type.
    fn note_versions(&mut self, tokens: &[Token]) -> Result<(), IrError> {
        let keys = self.keys(tokens)?;
        for (token, key) in tokens.iter().zip(&keys) {
            if matches!(token.signal, Signal::BeginComposite | Signal::BeginEnum | Signal::BeginSet | Signal::Encoding)
            {
                let least = self.versions.entry(*key).or_insert(token.version);
                *least = token.version.min(*least);
            }
        }
        Ok(())
    }

    /// The key of the type that starts at each token; zero where none does. Each token is looked at once: those of a type
    /// inside another are not hashed again for the outer one.
    fn keys(&self, tokens: &[Token]) -> Result<Vec<Key>, IrError> {
        checked_spans(tokens)?;
        let mut keys = vec![Key::default(); tokens.len()];
        let mut open: Vec<(usize, [DefaultHasher; 2])> = Vec::new();
        let mut lent: Vec<Option<&str>> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if open.len() + lent.len() > 2 * DEEPEST {
                return Err(wrong(token, "is nested too deep"));
            }
            match token.signal {
                Signal::BeginMessage | Signal::EndMessage => {}
                Signal::BeginField | Signal::BeginVarData | Signal::BeginGroup => {
                    lent.push(token.semantic_type.as_deref());
                }
                Signal::EndField | Signal::EndVarData | Signal::EndGroup => {
                    lent.pop();
                }
                Signal::BeginComposite | Signal::BeginEnum | Signal::BeginSet => {
                    open.push((at, self.hashed(token, lent.last().copied().flatten())));
                }
                Signal::ValidValue | Signal::Choice => {
                    let hashers = open.last_mut().map(|(_, hashers)| hashers);
                    hashers.into_iter().flatten().for_each(|hasher| token.hash(hasher));
                }
                Signal::Encoding | Signal::EndComposite | Signal::EndEnum | Signal::EndSet => {
                    let (start, hashers) = match token.signal {
                        Signal::Encoding => (at, self.hashed(token, lent.last().copied().flatten())),
                        // The spans have been checked, so every end has its begin.
                        _ => open.pop().ok_or_else(|| wrong(token, "has no matching begin or end"))?,
                    };
                    keys[start] = hashers.map(|hasher| hasher.finish());
                    // To the type around it, a type is what it is, and where and under which name.
                    let outer = open.last_mut().map(|(_, hashers)| hashers);
                    let member = (&token.name, &token.referenced_name, token.offset, keys[start]);
                    outer.into_iter().flatten().for_each(|hasher| member.hash(hasher));
                }
            }
        }
        Ok(keys)
    }

    /// Hashers that have seen a type's first token, without what the place that it stands in has lent it.
    fn hashed(&self, token: &Token, lent: Option<&str>) -> [DefaultHasher; 2] {
        let mut token = token.clone();
        token.name = token.type_name().to_owned();
        token.referenced_name = None;
        token.offset = 0;
        token.version = 0;
        token.epoch = None;
        token.time_unit = None;
        if token.semantic_type.as_deref() == lent {
            token.semantic_type = None;
        }
        [0, 1].map(|seed| {
            let mut hasher = self.seeds[seed].build_hasher();
            token.hash(&mut hasher);
            hasher
        })
    }

    /// Lists a type that the schema must have declared under `types`, as others name it.
    fn declare(&mut self, ty: &Type) {
        let built_in = matches!(ty, Type::Encoding(of) if Primitive::from_name(&of.name) == Some(of.primitive));
        if !built_in && self.global_names.insert(ty.name().to_owned()) {
            self.global.push(ty.clone());
        }
    }
}

fn checked_spans(tokens: &[Token]) -> Result<Vec<usize>, IrError> {
    spans(tokens).map_err(|at| wrong(&tokens[at], "has no matching begin or end"))
}

/// Reads one list of tokens.
struct Reader<'t, 's> {
    tokens: &'t [Token],
    spans: Vec<usize>,
    keys: Vec<Key>,
    at: usize,
    types: &'s mut Types,
}

impl<'t, 's> Reader<'t, 's> {
    fn new(tokens: &'t [Token], types: &'s mut Types) -> Result<Self, IrError> {
        if tokens.is_empty() {
            return Err(IrError::Malformed { token: String::new(), why: "is missing: a list is empty".to_owned() });
        }
        let keys = types.keys(tokens)?;
        Ok(Self { tokens, spans: checked_spans(tokens)?, keys, at: 0, types })
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<&'t Token, IrError> {
        let token = self.peek().ok_or_else(|| wrong(&self.tokens[0], "ends too early"))?;
        self.at += 1;
        if token.name.is_empty() {
            return Err(wrong(token, "has no name"));
        }
        Ok(token)
    }

    fn expect(&mut self, signal: Signal, inside: &Token) -> Result<&'t Token, IrError> {
        let token = self.next()?;
        if token.signal == signal {
            return Ok(token);
        }
        Err(wrong(inside, &format!("has a {:?} `{}` where a {signal:?} belongs", token.signal, token.name)))
    }

    fn message(&mut self, header: &Composite) -> Result<Message, IrError> {
        let first = &self.tokens[0];
        let begin = self.expect(Signal::BeginMessage, first)?;
        let body = self.body(begin, 0)?;
        self.expect(Signal::EndMessage, begin)?;
        let id = unsigned(begin, "the id", begin.id)?;
        fits(begin, header, "templateId", id)?;
        fits(begin, header, "blockLength", body.block_length)?;
        Ok(Message { name: begin.name.clone(), id, notes: notes(begin)?, body, place: Place::NOWHERE })
    }

    fn body(&mut self, begin: &Token, depth: usize) -> Result<Body, IrError> {
        if depth > DEEPEST {
            return Err(wrong(begin, &format!("is in groups nested more than {DEEPEST} deep")));
        }
        let mut body = Body { block_length: length(begin, "the block length")?, ..Body::default() };
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        let mut end = 0;
        while let Some(token) = self.peek() {
            match token.signal {
                Signal::BeginField if body.groups.is_empty() && body.data.is_empty() => {
                    body.fields.push(self.field(&mut end)?);
                }
                Signal::BeginGroup if body.data.is_empty() => body.groups.push(self.group(depth)?),
                Signal::BeginVarData => body.data.push(self.data()?),
                Signal::BeginField | Signal::BeginGroup => {
                    return Err(wrong(token, "stands behind a group or data that it must precede"));
                }
                _ => break,
            }
            if !ids.insert(token.id) || !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the id or the name of another at its level"));
            }
        }
        if end > body.block_length {
            return Err(wrong(begin, &format!("has a block of {} bytes, and fields to {end}", body.block_length)));
        }
        Ok(body)
    }

    fn field(&mut self, end: &mut u32) -> Result<Field, IrError> {
        let begin = self.next()?;
        let ty = self.ty(begin.semantic_type.as_deref(), 0)?;
        self.expect(Signal::EndField, begin)?;
        self.types.declare(&ty);
        let constant = field_constant(begin, &ty)?;
        let value_ref = constant.as_ref().and_then(|_| std::str::from_utf8(&begin.constant).ok());
        let field = Field {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            offset: length_of(begin, "the offset", begin.offset)?,
            presence: begin.presence,
            value_ref: value_ref.filter(|text| !text.is_empty()).map(str::to_owned),
            constant,
            epoch: begin.epoch.clone(),
            time_unit: begin.time_unit.clone(),
            ty,
            place: Place::NOWHERE,
        };
        if field.offset < *end {
            let why = format!("is at offset {}, over what is before it, which ends at {end}", field.offset);
            return Err(wrong(begin, &why));
        }
        // Both are bounded, so the sum is far from overflowing; the block's own bound is checked by whoever asked.
        *end = field.offset + field.encoded_length();
        Ok(field)
    }

    fn group(&mut self, depth: usize) -> Result<Group, IrError> {
        let begin = self.next()?;
        let dimension = match self.ty(None, 0)? {
            Type::Composite(dimension) => dimension,
            _ => return Err(wrong(begin, "has a dimension that is not a composite")),
        };
        self.types.declare(&Type::Composite(Arc::clone(&dimension)));
        framing(begin, &dimension, "blockLength")?;
        framing(begin, &dimension, "numInGroup")?;
        let body = self.body(begin, depth + 1)?;
        fits(begin, &dimension, "blockLength", body.block_length)?;
        self.expect(Signal::EndGroup, begin)?;
        Ok(Group {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            dimension,
            body,
            place: Place::NOWHERE,
        })
    }

    fn data(&mut self) -> Result<Data, IrError> {
        let begin = self.next()?;
        let ty = match self.ty(begin.semantic_type.as_deref(), 0)? {
            Type::Composite(ty) => ty,
            _ => return Err(wrong(begin, "has a type that is not a composite")),
        };
        self.expect(Signal::EndVarData, begin)?;
        self.types.declare(&Type::Composite(Arc::clone(&ty)));
        let length = framing(begin, &ty, "length")?;
        let sound = ty.variable
            && ty.number("length").is_some_and(|(member, of)| member.offset == 0 && of.presence != Presence::Constant)
            && ty.number("varData").is_some_and(|(member, of)| {
                member.offset == length.size() && of.primitive.size() == 1 && of.presence != Presence::Constant
            })
            && ty.length == length.size();
        if !sound || !length.is_unsigned() {
            return Err(wrong(begin, "has a type that is not an unsigned `length` with `varData` right behind it"));
        }
        Ok(Data {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            ty,
            epoch: begin.epoch.clone(),
            time_unit: begin.time_unit.clone(),
            place: Place::NOWHERE,
        })
    }

    /// The type that starts at the next token. `lent` is the semantic type of whatever uses it.
    fn ty(&mut self, lent: Option<&str>, depth: usize) -> Result<Type, IrError> {
        let start = self.at;
        let begin = self.next()?;
        if depth > DEEPEST {
            return Err(wrong(begin, &format!("is in types nested more than {DEEPEST} deep")));
        }
        let key = self.keys[start];
        if let Some(known) = self.types.known.get(&key) {
            self.at = start + self.spans[start];
            return Ok(known.clone());
        }
        let mut notes = notes(begin)?;
        notes.since = unsigned(begin, "the version", *self.types.versions.get(&key).unwrap_or(&begin.version))?;
        if notes.semantic_type.as_deref() == lent {
            notes.semantic_type = None;
        }
        let ty = match begin.signal {
            Signal::Encoding => Type::Encoding(Arc::new(encoding(begin, notes)?)),
            Signal::BeginComposite => Type::Composite(Arc::new(self.composite(begin, notes, lent, depth)?)),
            Signal::BeginEnum => Type::Enum(Arc::new(self.enumeration(begin, notes)?)),
            Signal::BeginSet => Type::Set(Arc::new(self.set(begin, notes)?)),
            _ => return Err(wrong(begin, "is where a type belongs")),
        };
        self.types.known.insert(key, ty.clone());
        Ok(ty)
    }

    fn composite(
        &mut self,
        begin: &Token,
        notes: Notes,
        lent: Option<&str>,
        depth: usize,
    ) -> Result<Composite, IrError> {
        let mut members: Vec<Member> = Vec::new();
        let mut names = HashSet::new();
        let (mut end, mut variable) = (0, false);
        while self.peek().is_some_and(|token| token.signal != Signal::EndComposite) {
            let token = self.tokens[self.at].clone();
            let ty = self.ty(lent, depth + 1)?;
            if token.referenced_name.is_some() {
                self.types.declare(&ty);
            }
            if !names.insert(token.name.clone()) {
                return Err(wrong(&token, "has the name of another member of its composite"));
            }
            let offset = length_of(&token, "the offset", token.offset)?;
            if offset < end {
                return Err(wrong(
                    &token,
                    &format!("is at offset {offset}, over what is before it, which ends at {end}"),
                ));
            }
            let on_the_wire = token.name == "varData" && token.encoded_length == -1;
            variable |= on_the_wire;
            end = offset + if on_the_wire { 0 } else { ty.length() };
            if end > LONGEST {
                return Err(wrong(&token, &format!("ends more than {LONGEST} bytes into its composite")));
            }
            let notes = ty.notes().clone();
            let reference = token.referenced_name.is_some();
            members.push(Member { name: token.name, notes, offset, ty, reference, place: Place::NOWHERE });
        }
        self.expect(Signal::EndComposite, begin)?;
        let length = if begin.encoded_length == -1 { end } else { length(begin, "the length")? };
        if length < end {
            return Err(wrong(begin, &format!("has {length} bytes, and members to {end}")));
        }
        Ok(Composite {
            name: begin.type_name().to_owned(),
            notes,
            members,
            length,
            variable,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }

    fn enumeration(&mut self, begin: &Token, enum_notes: Notes) -> Result<Enum, IrError> {
        let primitive = integer(begin)?;
        let mut values: Vec<EnumValue> = Vec::new();
        let mut names = HashSet::new();
        while self.peek().is_some_and(|token| token.signal == Signal::ValidValue) {
            let token = self.next()?;
            let number = number(token, &token.constant, primitive)?.ok_or_else(|| wrong(token, "has no value"))?;
            if !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the name of another value of its enum"));
            }
            values.push(EnumValue { name: token.name.clone(), notes: notes(token)?, number, place: Place::NOWHERE });
        }
        self.expect(Signal::EndEnum, begin)?;
        Ok(Enum {
            name: begin.type_name().to_owned(),
            notes: enum_notes,
            primitive,
            presence: begin.presence,
            null: number(begin, &begin.null, primitive)?.unwrap_or(primitive.null()),
            values,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }

    fn set(&mut self, begin: &Token, set_notes: Notes) -> Result<Set, IrError> {
        let primitive = integer(begin)?;
        let mut choices: Vec<Choice> = Vec::new();
        let mut names = HashSet::new();
        while self.peek().is_some_and(|token| token.signal == Signal::Choice) {
            let token = self.next()?;
            let bit = number(token, &token.constant, primitive)?.and_then(Number::as_int);
            let bit = bit.and_then(|bit| u8::try_from(bit).ok()).filter(|&bit| u32::from(bit) < primitive.size() * 8);
            let bit = bit.ok_or_else(|| wrong(token, &format!("is no bit of a {primitive}")))?;
            if !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the name of another choice of its set"));
            }
            choices.push(Choice { name: token.name.clone(), notes: notes(token)?, bit, place: Place::NOWHERE });
        }
        self.expect(Signal::EndSet, begin)?;
        Ok(Set {
            name: begin.type_name().to_owned(),
            notes: set_notes,
            primitive,
            choices,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }
}

fn encoding(token: &Token, notes: Notes) -> Result<Encoding, IrError> {
    let primitive = token.primitive.ok_or_else(|| wrong(token, "has no primitive type"))?;
    let mut constant = None;
    let length = match (token.presence, token.encoded_length) {
        (Presence::Constant, _) if primitive == Primitive::Char && token.constant.len() != 1 => {
            if token.constant.is_empty() {
                return Err(wrong(token, "is constant and has no value"));
            }
            constant = Some(Constant::Text(token.constant.clone()));
            // As long as the length in front of it could say, which is little.
            token.constant.len() as u32
        }
        (Presence::Constant, _) => {
            let value = number(token, &token.constant, primitive)?;
            constant = Some(Constant::Number(value.ok_or_else(|| wrong(token, "is constant and has no value"))?));
            1
        }
        // Bytes of variable-length data: whoever uses the composite knows how to find them.
        (_, -1) if token.name == "varData" => 0,
        (..) => {
            let bytes = length(token, "the length")?;
            if bytes % primitive.size() != 0 {
                return Err(wrong(token, &format!("has {bytes} bytes, which no number of {primitive} takes")));
            }
            bytes / primitive.size()
        }
    };
    Ok(Encoding {
        name: token.type_name().to_owned(),
        notes,
        primitive,
        length,
        presence: token.presence,
        min: number(token, &token.min, primitive)?,
        max: number(token, &token.max, primitive)?,
        null: number(token, &token.null, primitive)?,
        constant,
        character_encoding: token.character_encoding.clone(),
        package: token.package.clone(),
        place: Place::NOWHERE,
    })
}

/// The value of a constant field: the one that its own token names, or else its type's.
fn field_constant(begin: &Token, ty: &Type) -> Result<Option<Constant>, IrError> {
    let of_type = match ty {
        Type::Encoding(of) => {
            if (of.presence == Presence::Constant) != (begin.presence == Presence::Constant) {
                return Err(wrong(begin, "is constant and its type is not, or the reverse"));
            }
            of.constant.clone()
        }
        _ => None,
    };
    if begin.presence != Presence::Constant {
        return Ok(None);
    }
    if begin.constant.is_empty() {
        return of_type.map(Some).ok_or_else(|| wrong(begin, "is constant and has no value"));
    }
    let named = std::str::from_utf8(&begin.constant).ok().and_then(|text| text.split_once('.'));
    let (name, value) = named.ok_or_else(|| wrong(begin, "has a value that is not `Enum.Value`"))?;
    let number = match (ty, of_type) {
        (Type::Enum(of), _) => of.value_named(value).filter(|_| of.name == name).map(|value| value.number),
        (_, Some(Constant::Number(number))) => Some(number),
        _ => None,
    };
    let number = number.ok_or_else(|| wrong(begin, &format!("is `{name}.{value}`, which its type does not have")))?;
    Ok(Some(Constant::Enum { name: name.to_owned(), value: value.to_owned(), number }))
}

/// A member that frames messages, groups or data: one integer, sent or constant. Returns its primitive.
fn framing(token: &Token, composite: &Composite, name: &str) -> Result<Primitive, IrError> {
    match composite.number(name) {
        Some((_, of)) if of.length == 1 && !of.primitive.is_float() && of.primitive != Primitive::Char => {
            Ok(of.primitive)
        }
        _ => {
            Err(wrong(token, &format!("needs a composite with a single integer `{name}`, unlike `{}`", composite.name)))
        }
    }
}

/// Refuses a number that a framing member cannot carry.
fn fits(token: &Token, composite: &Composite, member: &str, value: u32) -> Result<(), IrError> {
    match composite.number(member) {
        Some((_, of)) if of.presence != Presence::Constant && i128::from(value) > of.primitive.range().1 => {
            Err(wrong(token, &format!("needs {value} in `{member}`, which is {}", of.primitive)))
        }
        _ => Ok(()),
    }
}

fn integer(token: &Token) -> Result<Primitive, IrError> {
    let primitive = token.primitive.filter(|primitive| !primitive.is_float());
    primitive.ok_or_else(|| wrong(token, "is not made of an integer"))
}

/// A value, or nothing for no bytes.
fn number(token: &Token, bytes: &[u8], primitive: Primitive) -> Result<Option<Number>, IrError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let whole = bytes.len() == primitive.size() as usize;
    let number = primitive.read(bytes, ByteOrder::LittleEndian).filter(|_| whole);
    number.map(Some).ok_or_else(|| wrong(token, &format!("has a value of {} bytes for {primitive}", bytes.len())))
}

fn notes(token: &Token) -> Result<Notes, IrError> {
    Ok(Notes {
        description: token.description.clone(),
        since: unsigned(token, "the version", token.version)?,
        deprecated: unsigned(token, "the deprecation", token.deprecated)?,
        semantic_type: token.semantic_type.clone(),
    })
}

fn length(token: &Token, what: &'static str) -> Result<u32, IrError> {
    length_of(token, what, token.encoded_length)
}

fn length_of(token: &Token, what: &str, value: i32) -> Result<u32, IrError> {
    match u32::try_from(value) {
        Ok(value) if value <= LONGEST => Ok(value),
        _ => Err(wrong(token, &format!("says that {what} is {value}, which is not from 0 to {LONGEST}"))),
    }
}

fn unsigned(token: &Token, what: &str, value: i32) -> Result<u32, IrError> {
    u32::try_from(value).map_err(|_| wrong(token, &format!("says that {what} is {value}, which is negative")))
}

fn wrong(token: &Token, why: &str) -> IrError {
    IrError::Malformed { token: token.name.chars().take(64).collect(), why: why.to_owned() }
}
