//! The document as a whole: its types declared, its messages resolved and laid out, and the composites that frame them
//! checked. Called by the compiler's front door once a tree is read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::diagnostic::Findings;
use super::model::{Body, Composite, Constant, Data, Encoding, Field, Group, Message, Schema, Type};
use super::names;
use super::primitive::{ByteOrder, Number, Presence, Primitive};
use super::resolve::{DEEPEST, LONGEST, Resolver};
use super::source::{Place, Sources};
use super::xml::{ElementId, Tree};

/// Resolves the whole tree. Returns a schema only when nothing was refused.
pub(super) fn resolve(tree: &Tree, findings: &mut Findings) -> Option<Schema> {
    let root = tree.root()?;
    let element = tree.get(root);
    if element.name != "messageSchema" {
        let message = format!("the root is `{}`, and a schema's is `messageSchema`", element.name);
        let found = findings.error("not-a-schema", element.place, message);
        if element.name == "types" {
            found.hint("this looks like a file to be included by a schema");
        }
        return None;
    }
    let mut builder = Builder { resolver: Resolver::new(tree, findings), checked: HashSet::new() };
    let schema = builder.schema(root);
    names::check(tree, root, findings);
    schema.filter(|_| !findings.has_errors())
}

struct Builder<'a> {
    resolver: Resolver<'a>,
    /// Dimension and data composites that have been checked: each is reported once.
    checked: HashSet<(&'static str, String)>,
}

impl<'a> Builder<'a> {
    fn findings(&mut self) -> &mut Findings {
        self.resolver.reader.findings
    }

    fn schema(&mut self, root: ElementId) -> Option<Schema> {
        let tree = self.resolver.reader.tree;
        let notes = self.resolver.reader.notes(root);
        let package = self.resolver.reader.required(root, "package").map(|package| package.value.clone());
        let id = self.resolver.reader.required_number(root, "id");
        let version = self.resolver.reader.number(root, "version").unwrap_or(0);
        let byte_order = self.byte_order(root);
        let mut types = Vec::new();
        let mut messages = Vec::new();
        for child in tree.children(root) {
            match tree.get(child).name.as_str() {
                "types" => self.declare_types(child, &mut types),
                "message" => messages.push(child),
                "messages" => messages.extend(tree.children(child).filter(|&id| tree.get(id).name == "message")),
                _ => self.resolver.unknown_element(child, "a schema", &["types", "message"]),
            }
        }
        self.find_data_types(&messages);
        let global_types: Vec<Type> = types.into_iter().filter_map(|id| self.resolver.resolve(id)).collect();
        let header = self.header(root);
        if messages.is_empty() {
            let place = tree.get(root).place;
            self.findings().warning("no-messages", place, "the schema has no messages");
        }
        if let (Some(id), Some(header)) = (id, header.as_deref()) {
            self.fits(header, "schemaId", id, "the schema's id", self.resolver.reader.place_of(root, "id"));
            self.fits(
                header,
                "version",
                version,
                "the schema's version",
                self.resolver.reader.place_of(root, "version"),
            );
        }
        let messages = self.messages(&messages, header.as_deref());
        self.check_versions(root, version);
        Some(Schema {
            package: package?,
            id: id?,
            version,
            semantic_version: self.resolver.reader.text(root, "semanticVersion"),
            description: notes.description,
            byte_order: byte_order?,
            header: header?,
            types: global_types,
            messages,
            sources: Sources::default(),
            place: tree.get(root).place,
        })
    }

    fn byte_order(&mut self, root: ElementId) -> Option<ByteOrder> {
        let Some(attribute) = self.resolver.reader.element(root).attribute("byteOrder") else {
            return Some(ByteOrder::LittleEndian);
        };
        match attribute.value.as_str() {
            "littleEndian" => Some(ByteOrder::LittleEndian),
            "bigEndian" => Some(ByteOrder::BigEndian),
            other => {
                let message = format!("`{other}` is not a byte order");
                self.findings()
                    .error("unknown-byte-order", attribute.place, message)
                    .hint(
                        "it is `littleEndian` or `bigEndian`; the official tool takes any other word for little-endian",
                    )
                    .suggest(other, ["littleEndian", "bigEndian"].into_iter());
                None
            }
        }
    }

    fn declare_types(&mut self, types: ElementId, list: &mut Vec<ElementId>) {
        let tree = self.resolver.reader.tree;
        let package = tree.get(types).attribute("package").map(|package| package.value.as_str());
        for child in tree.children(types) {
            match tree.get(child).name.as_str() {
                "type" | "composite" | "enum" | "set" => {
                    self.resolver.declare(child, package);
                    list.push(child);
                }
                _ => self.resolver.unknown_element(child, "`types`", &["type", "composite", "enum", "set"]),
            }
        }
    }

    /// Composites that `data` elements name, wherever they are: their layout depends on it.
    fn find_data_types(&mut self, messages: &[ElementId]) {
        let tree = self.resolver.reader.tree;
        let mut stack = messages.to_vec();
        while let Some(id) = stack.pop() {
            for child in tree.children(id) {
                let element = tree.get(child);
                match element.name.as_str() {
                    "group" => stack.push(child),
                    "data" => {
                        self.resolver.data_types.extend(element.attribute("type").map(|ty| ty.value.as_str()));
                    }
                    _ => {}
                }
            }
        }
    }

    fn header(&mut self, root: ElementId) -> Option<Arc<Composite>> {
        let name = self.resolver.reader.text(root, "headerType").unwrap_or_else(|| "messageHeader".to_owned());
        let place = self.resolver.reader.place_of(root, "headerType");
        let header = match self.resolver.named(&name) {
            Some(Type::Composite(header)) => header,
            Some(_) => {
                self.findings().error("header", place, format!("message header `{name}` is not a composite"));
                return None;
            }
            None => {
                if !self.resolver.is_known(&name) {
                    let message = format!("there is no message header `{name}`");
                    self.resolver
                        .reader
                        .findings
                        .error("header", place, message)
                        .hint(format!("declare a composite `{name}`, or name another in `headerType`"))
                        .suggest(&name, self.resolver.names.iter().copied());
                }
                return None;
            }
        };
        let mut sound = true;
        for member in ["blockLength", "templateId", "schemaId", "version"] {
            let Some(primitive) = self.framing_member(&header, member, "header") else {
                sound = false;
                continue;
            };
            if member == "blockLength" && !primitive.is_unsigned() {
                let message = format!("`blockLength` of the message header is {primitive}, which is not unsigned");
                self.findings().error("header", header.place, message).hint("use uint16");
                sound = false;
            } else if primitive != Primitive::UInt16 {
                let message = format!("`{member}` of the message header is {primitive}");
                self.findings().warning("unusual-width", header.place, message).hint("use uint16, as everyone does");
            }
        }
        sound.then_some(header)
    }

    /// A member that frames messages or groups: one integer.
    fn framing_member(&mut self, composite: &Composite, name: &str, code: &'static str) -> Option<Primitive> {
        let Some(member) = composite.member(name) else {
            let message = format!("composite `{}` has no `{name}`", composite.name);
            self.findings()
                .error(code, composite.place, message)
                .hint(format!("add `<type name=\"{name}\" primitiveType=\"uint16\"/>`"))
                .suggest(name, composite.members.iter().map(|member| member.name.as_str()));
            return None;
        };
        match &member.ty {
            Type::Encoding(encoding) if encoding.length == 1 && !encoding.primitive.is_float() => {
                Some(encoding.primitive)
            }
            _ => {
                let message = format!("`{name}` of composite `{}` is not a single integer", composite.name);
                self.findings().error(code, member.place, message);
                None
            }
        }
    }

    /// Reports a number that a member of a framing composite cannot carry.
    fn fits(&mut self, composite: &Composite, member: &str, value: u32, what: &str, place: Place) {
        if let Some((_, encoding)) = composite.number(member) {
            let (least, greatest) = encoding.primitive.range();
            let message = match constant(encoding) {
                Some(fixed) if fixed != i128::from(value) => {
                    format!("{what} is {value}, and `{member}` of `{}` is always {fixed}", composite.name)
                }
                None if !(least..=greatest).contains(&i128::from(value)) => {
                    format!("{what} is {value}, and `{member}` of `{}` is {}", composite.name, encoding.primitive)
                }
                _ => return,
            };
            self.findings().error("does-not-fit", place, message).related(composite.place, "the composite");
        }
    }

    fn messages(&mut self, list: &[ElementId], header: Option<&Composite>) -> Vec<Message> {
        let greatest_block = header.and_then(|header| greatest(header, "blockLength"));
        let mut messages = Vec::new();
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        for &id in list {
            let place = self.resolver.reader.element(id).place;
            let name = self.resolver.reader.required(id, "name").map(|name| name.value.clone());
            let template = self.resolver.reader.required_number(id, "id");
            let notes = self.resolver.reader.notes(id);
            if let Some(template) = template {
                let at = self.resolver.reader.place_of(id, "id");
                if let Some(&first) = ids.get(&template) {
                    let message = format!("there is already a message with id {template}");
                    self.findings().error("duplicate-message-id", at, message).related(first, "the first");
                }
                ids.entry(template).or_insert(at);
                if let Some(header) = header {
                    self.fits(header, "templateId", template, "the message's id", at);
                }
            }
            if let Some(name) = &name {
                let at = self.resolver.reader.place_of(id, "name");
                if let Some(&first) = names.get(name) {
                    let message = format!("there is already a message `{name}`");
                    self.findings().error("duplicate-message-name", at, message).related(first, "the first");
                }
                names.entry(name.clone()).or_insert(at);
            }
            let body = self.body(id, greatest_block, 0);
            if let (Some(header), Some(body)) = (header, &body) {
                let at = self.resolver.reader.place_of(id, "blockLength");
                self.fits(header, "blockLength", body.block_length, "the length of the block", at);
            }
            if let (Some(name), Some(template), Some(body)) = (name, template, body) {
                messages.push(Message { name, id: template, notes, body, place });
            }
        }
        messages
    }

    fn body(&mut self, id: ElementId, greatest_block: Option<i128>, depth: usize) -> Option<Body> {
        let tree = self.resolver.reader.tree;
        let what = tree.get(id).name.clone();
        if depth > DEEPEST {
            let message = format!("groups are nested more than {DEEPEST} deep");
            self.findings().error("too-deep", tree.get(id).place, message);
            return None;
        }
        let mut body = Body::default();
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        let (mut end, mut sound) = (0_u64, true);
        let (mut first_group, mut first_data): (Option<Place>, Option<Place>) = (None, None);
        // The version that brought the level, and the latest of what is in it so far.
        let base = self.since(id);
        let (mut latest_field, mut latest) = (base, base);
        for child in tree.children(id) {
            let element = tree.get(child);
            let kind = element.name.as_str();
            if !matches!(kind, "field" | "group" | "data") {
                self.resolver.unknown_element(child, &format!("a {what}"), &["field", "group", "data"]);
                continue;
            }
            if let Some(before) = first_data.or(first_group).filter(|_| kind == "field") {
                let message = "a field must stand before every group and data";
                self.findings().error("out-of-order", element.place, message).related(before, "the first of those");
            } else if let Some(before) = first_data.filter(|_| kind == "group") {
                let message = "a group must stand before every data";
                self.findings().error("out-of-order", element.place, message).related(before, "the first of those");
            }
            let name = self.resolver.reader.required(child, "name").map(|name| name.value.clone());
            let number = self.resolver.reader.required_number(child, "id");
            self.unique(child, "name", name.as_deref(), &mut names);
            self.unique(child, "id", number.map(|id| id.to_string()).as_deref(), &mut ids);
            let (Some(name), Some(number)) = (name, number) else {
                sound = false;
                continue;
            };
            // Blocks grow, so what follows them is not behind their fields.
            let before = if kind == "field" { &mut latest_field } else { &mut latest };
            *before = self.check_order(child, &name, base, *before);
            match kind {
                "field" => match self.field(child, name, number, &mut end) {
                    Some(field) => {
                        self.check_use(&field);
                        body.fields.push(field);
                    }
                    None => sound = false,
                },
                "group" => {
                    first_group.get_or_insert(element.place);
                    match self.group(child, name, number, depth) {
                        Some(group) => body.groups.push(group),
                        None => sound = false,
                    }
                }
                _ => {
                    first_data.get_or_insert(element.place);
                    match self.data(child, name, number) {
                        Some(data) => body.data.push(data),
                        None => sound = false,
                    }
                }
            }
        }
        let explicit = self.resolver.reader.number(id, "blockLength").filter(|&length| length != 0);
        let place = self.resolver.reader.place_of(id, "blockLength");
        if let Some(explicit) = explicit.filter(|&explicit| u64::from(explicit) < end) {
            let message = format!("block length {explicit} is too small: the fields end at {end}");
            self.findings().error("block-length", place, message).hint(format!("use {end} or more, or leave it out"));
            return None;
        }
        let length = explicit.map_or(end, u64::from);
        if length > LONGEST || greatest_block.is_some_and(|greatest| i128::from(length) > greatest) {
            let greatest = greatest_block.unwrap_or(LONGEST.into()).min(LONGEST.into());
            let message =
                format!("the block is {length} bytes long, and {greatest} is the most that its header can say");
            self.findings().error("does-not-fit", place, message);
            return None;
        }
        body.block_length = length as u32;
        sound.then_some(body)
    }

    /// The version that an element names as the one that brought it.
    fn since(&self, id: ElementId) -> u32 {
        let attribute = self.resolver.reader.element(id).attribute("sinceVersion");
        attribute.and_then(|attribute| attribute.value.trim().parse().ok()).unwrap_or(0)
    }

    /// What is added goes behind what was there; returns the latest version so far.
    fn check_order(&mut self, id: ElementId, name: &str, base: u32, latest: u32) -> u32 {
        let since = self.since(id);
        let place = self.resolver.reader.place_of(id, "sinceVersion");
        if since != 0 && since < base {
            let message = format!("`{name}` is there since version {since}, and what it is in since {base}");
            self.findings().warning("since-order", place, message).hint("leave `sinceVersion` out");
        } else if since.max(base) < latest {
            let message = format!("`{name}` is behind what came later, with version {latest}");
            self.findings()
                .warning("since-order", place, message)
                .hint("older readers and writers expect it where it was: put what is new behind it");
        }
        latest.max(since)
    }

    fn check_use(&mut self, field: &Field) {
        if let Type::Composite(of) = &field.ty
            && of.variable
        {
            let message =
                format!("field `{}` is of `{}`, a type of data: only its header is a field", field.name, of.name);
            self.findings()
                .warning("data-as-field", field.place, message)
                .hint("use a `data` element, or a composite of its own");
        } else if let Type::Encoding(of) = &field.ty
            && of.length == 0
            && field.presence != Presence::Constant
        {
            let message = format!("field `{}` has no bytes: `length` of `{}` is 0", field.name, of.name);
            self.findings().warning("empty-field", field.place, message).hint("give the type a `length`");
        }
    }

    fn unique(&mut self, id: ElementId, attribute: &str, value: Option<&str>, seen: &mut HashMap<String, Place>) {
        let Some(value) = value else { return };
        let place = self.resolver.reader.place_of(id, attribute);
        if let Some(&first) = seen.get(value) {
            let code = if attribute == "id" { "duplicate-id" } else { "duplicate-name" };
            let message = format!("{attribute} `{value}` is taken by another at this level");
            self.findings().error(code, place, message).related(first, "the first");
        }
        seen.entry(value.to_owned()).or_insert(place);
    }

    fn field(&mut self, id: ElementId, name: String, number: u32, end: &mut u64) -> Option<Field> {
        let notes = self.resolver.reader.notes(id);
        let own_presence = self.resolver.reader.presence(id);
        let ty = self.named(id)?;
        let place = self.resolver.reader.element(id).place;
        if let (Some(field), Some(of_type)) = (&notes.semantic_type, &ty.notes().semantic_type)
            && field != of_type
        {
            let at = self.resolver.reader.place_of(id, "semanticType");
            let message = format!("`semanticType` is `{field}`, and type `{}` has `{of_type}`", ty.name());
            self.findings().error("semantic-type", at, message).related(ty.place(), "the type");
        }
        let (presence, constant) = self.field_constant(id, &name, own_presence, &ty)?;
        if let Some(offset) = self.resolver.reader.number(id, "offset").filter(|&offset| offset != 0) {
            if u64::from(offset) < *end {
                let at = self.resolver.reader.place_of(id, "offset");
                let message =
                    format!("field `{name}` at offset {offset} overlaps what is before it, which ends at {end}");
                self.findings().error("field-offset", at, message).hint(format!("use {end} or more, or leave it out"));
                return None;
            }
            *end = offset.into();
        }
        let field = Field {
            name,
            id: number,
            notes,
            offset: (*end).min(LONGEST) as u32,
            presence,
            constant,
            value_ref: self.resolver.reader.text(id, "valueRef"),
            epoch: self.resolver.reader.text(id, "epoch"),
            time_unit: self.resolver.reader.text(id, "timeUnit"),
            ty,
            place,
        };
        *end = end.saturating_add(field.encoded_length().into());
        Some(field)
    }

    /// The type that a field names.
    fn named(&mut self, id: ElementId) -> Option<Type> {
        let attribute = self.resolver.reader.required(id, "type")?;
        let ty = self.resolver.named(&attribute.value);
        if ty.is_none() && !self.resolver.is_known(&attribute.value) {
            let primitives = Primitive::ALL.into_iter().map(|primitive| -> &'a str { primitive.name() });
            let message = format!("there is no type `{}`", attribute.value);
            self.resolver
                .reader
                .findings
                .error("unknown-type", attribute.place, message)
                .hint("declare it in `types`, or name a primitive type")
                .suggest(&attribute.value, primitives.chain(self.resolver.names.iter().copied()));
        }
        ty
    }

    fn field_constant(
        &mut self,
        id: ElementId,
        name: &str,
        own: Option<Presence>,
        ty: &Type,
    ) -> Option<(Presence, Option<Constant>)> {
        let has_value_ref = self.resolver.reader.element(id).attribute("valueRef").is_some();
        let referred = if has_value_ref { Some(self.resolver.value_ref(id)?) } else { None };
        let presence = own.unwrap_or(ty.presence());
        let place = self.resolver.reader.place_of(id, "presence");
        if presence != Presence::Constant {
            let Type::Encoding(encoding) = ty else {
                return Some((presence, None));
            };
            if encoding.presence != Presence::Constant {
                return Some((presence, None));
            }
            if presence == Presence::Optional {
                let message = format!("field `{name}` is optional, and its type `{}` is constant", encoding.name);
                self.findings().error("optional-constant", place, message).related(encoding.place, "the type");
                return None;
            }
            let message =
                format!("field `{name}` is required, and its type `{}` is constant: it is constant", encoding.name);
            self.findings().warning("required-constant", place, message);
            return Some((Presence::Constant, encoding.constant.clone()));
        }
        match (ty, referred) {
            (Type::Enum(of), Some((referred, constant))) => {
                if of.name != referred.name {
                    let at = self.resolver.reader.place_of(id, "valueRef");
                    let message =
                        format!("field `{name}` is of enum `{}`, and the value of `{}`", of.name, referred.name);
                    self.findings().error("value-ref", at, message);
                    return None;
                }
                Some((presence, Some(constant)))
            }
            (Type::Enum(of), None) => {
                let message = format!("constant field `{name}` does not say which value of `{}` it has", of.name);
                self.findings()
                    .error("constant-without-value", place, message)
                    .hint(format!("add `valueRef=\"{}.…\"`", of.name));
                None
            }
            (Type::Encoding(encoding), Some((of, constant))) => {
                self.resolver.same_primitive(id, encoding.primitive, &of);
                Some((presence, Some(constant)))
            }
            (Type::Encoding(encoding), None) if encoding.constant.is_some() => {
                Some((presence, encoding.constant.clone()))
            }
            _ => {
                let message = format!("field `{name}` is constant, and its type `{}` has no value", ty.name());
                self.findings()
                    .error("constant-without-value", place, message)
                    .related(ty.place(), "the type")
                    .hint("use a constant type, or name an enum's value in `valueRef`");
                None
            }
        }
    }

    fn group(&mut self, id: ElementId, name: String, number: u32, depth: usize) -> Option<Group> {
        let notes = self.resolver.reader.notes(id);
        let place = self.resolver.reader.element(id).place;
        let dimension_name =
            self.resolver.reader.text(id, "dimensionType").unwrap_or_else(|| "groupSizeEncoding".to_owned());
        let at = self.resolver.reader.place_of(id, "dimensionType");
        let dimension = match self.resolver.named(&dimension_name) {
            Some(Type::Composite(dimension)) => Some(dimension),
            Some(other) => {
                let message = format!("dimension type `{dimension_name}` is not a composite");
                self.findings().error("dimension", at, message).related(other.place(), "it is declared here");
                None
            }
            None => {
                if !self.resolver.is_known(&dimension_name) {
                    let message = format!("there is no dimension type `{dimension_name}`");
                    self.resolver
                        .reader
                        .findings
                        .error("dimension", at, message)
                        .hint("declare a composite of `blockLength` and `numInGroup`")
                        .suggest(&dimension_name, self.resolver.names.iter().copied());
                }
                None
            }
        };
        let sound = dimension.as_deref().is_some_and(|dimension| self.dimension(dimension));
        let greatest = dimension.as_deref().and_then(|dimension| greatest(dimension, "blockLength"));
        let body = self.body(id, greatest, depth + 1)?;
        Some(Group { name, id: number, notes, dimension: dimension.filter(|_| sound)?, body, place })
    }

    fn dimension(&mut self, composite: &Composite) -> bool {
        let (block, count) = (
            composite.number("blockLength").map(|(_, encoding)| encoding.clone()),
            composite.number("numInGroup").map(|(_, encoding)| encoding.clone()),
        );
        if !self.checked.insert(("dimension", composite.name.clone())) {
            // Reported already; whether it is sound is what counts here.
            return block.is_some() && count.is_some();
        }
        let block = self.framing_member(composite, "blockLength", "dimension").and(block);
        let count = self.framing_member(composite, "numInGroup", "dimension").and(count);
        let (Some(block), Some(count)) = (block, count) else { return false };
        for (name, member) in [("blockLength", &block), ("numInGroup", &count)] {
            if member.presence == Presence::Constant {
                let message = format!("`{name}` of `{}` is constant, and groups differ in it", composite.name);
                self.findings().error("dimension", member.place, message);
            }
        }
        self.unsigned_length(&block, "blockLength", &composite.name, "dimension");
        if count.primitive.is_unsigned() {
            self.unsigned_length(&count, "numInGroup", &composite.name, "dimension");
        } else if count.primitive == Primitive::Char {
            let message = format!("`numInGroup` of `{}` is a char", composite.name);
            self.findings().error("dimension", count.place, message).hint("use uint8 or uint16");
        } else {
            let message = format!("`numInGroup` of `{}` is {}, which is signed", composite.name, count.primitive);
            self.findings().warning("unusual-width", count.place, message).hint("use uint8 or uint16");
            match count.min {
                None => {
                    let message = format!("signed `numInGroup` of `{}` has no `minValue`", composite.name);
                    self.findings().error("dimension", count.place, message).hint("add `minValue=\"0\"`");
                }
                Some(Number::Int(min)) if min < 0 => {
                    let message = format!("`minValue` {min} of `numInGroup` is negative");
                    self.findings().error("dimension", count.place, message);
                }
                Some(_) => {}
            }
        }
        if let (Some(Number::Int(min)), Number::Int(max)) = (count.min, count.applicable_max())
            && min > max
        {
            let message = format!("`numInGroup` has `minValue` {min} above `maxValue` {max}");
            self.findings().error("dimension", count.place, message);
        }
        true
    }

    /// The rules that lengths and counts share: unsigned, and wide ones only with a bound that fits 31 bits.
    fn unsigned_length(&mut self, encoding: &Encoding, name: &str, composite: &str, code: &'static str) {
        let primitive = encoding.primitive;
        if !primitive.is_unsigned() {
            let message = format!("`{name}` of `{composite}` is {primitive}, which is not unsigned");
            self.findings().error(code, encoding.place, message).hint("use uint8 or uint16");
            return;
        }
        let narrow = matches!(primitive, Primitive::UInt8 | Primitive::UInt16);
        // A 32-bit length of data is usual; a 32-bit count or block length is not.
        if !narrow && (code == "dimension" || primitive == Primitive::UInt64) {
            let message = format!("`{name}` of `{composite}` is {primitive}");
            self.findings().warning("unusual-width", encoding.place, message).hint("use uint8 or uint16");
        }
        if primitive == Primitive::UInt32 {
            match encoding.max {
                Some(Number::Int(max)) if max <= i128::from(i32::MAX) => {}
                Some(max) => {
                    let message = format!("`maxValue` {max} of `{name}` is above {}", i32::MAX);
                    self.findings().error(code, encoding.place, message);
                }
                None => {
                    let message = format!("`{name}` of `{composite}` is uint32 and has no `maxValue`");
                    let hint = format!("add `maxValue=\"{}\"` or less", i32::MAX);
                    self.findings().error(code, encoding.place, message).hint(hint);
                }
            }
        }
    }

    fn data(&mut self, id: ElementId, name: String, number: u32) -> Option<Data> {
        let notes = self.resolver.reader.notes(id);
        let place = self.resolver.reader.element(id).place;
        if self.resolver.reader.presence(id) == Some(Presence::Optional) {
            let at = self.resolver.reader.place_of(id, "presence");
            let message = format!("data `{name}` cannot be optional");
            self.findings().error("data", at, message).hint("empty data says that there is none");
        }
        if self.resolver.reader.number(id, "offset").is_some_and(|offset| offset != 0) {
            let at = self.resolver.reader.place_of(id, "offset");
            let message = format!("data `{name}` has an `offset`; where data starts depends on what is before it");
            self.findings().error("data", at, message).hint("leave it out");
        }
        let ty = match self.named(id)? {
            Type::Composite(ty) => ty,
            other => {
                let at = self.resolver.reader.place_of(id, "type");
                let message = format!("type `{}` of data `{name}` is not a composite", other.name());
                self.findings()
                    .error("data", at, message)
                    .related(other.place(), "it is declared here")
                    .hint("data has a composite of `length` and `varData`");
                return None;
            }
        };
        if self.checked.insert(("data", ty.name.clone())) {
            self.data_type(&ty);
        }
        Some(Data {
            name,
            id: number,
            notes,
            ty,
            epoch: self.resolver.reader.text(id, "epoch"),
            time_unit: self.resolver.reader.text(id, "timeUnit"),
            place,
        })
    }

    fn data_type(&mut self, ty: &Composite) {
        if self.framing_member(ty, "length", "data").is_some()
            && let Some((member, encoding)) = ty.number("length")
        {
            let (encoding, offset) = (encoding.clone(), member.offset);
            self.unsigned_length(&encoding, "length", &ty.name, "data");
            if offset != 0 || encoding.presence == Presence::Constant {
                let message = format!("`length` of `{}` must be sent, and first", ty.name);
                self.findings().error("data", ty.place, message);
            }
        }
        let Some((body, encoding)) = ty.number("varData") else {
            let found = ty.member("data").map(|member| member.place);
            let message = format!("composite `{}` has no `varData`", ty.name);
            let finding = self.findings().error("data", ty.place, message);
            finding.suggest("varData", ty.members.iter().map(|member| member.name.as_str()));
            if let Some(place) = found {
                finding.related(place, "the member that might be meant");
            }
            finding
                .hint
                .get_or_insert_with(|| "add `<type name=\"varData\" primitiveType=\"uint8\" length=\"0\"/>`".into());
            return;
        };
        let stranger = |member: &&super::model::Member| {
            !matches!(member.name.as_str(), "length" | "varData") && member.ty.length() > 0
        };
        if let Some(stranger) = ty.members.iter().find(stranger) {
            let message = format!("`{}` of `{}` has no place: the data follows its length", stranger.name, ty.name);
            self.findings().error("data", stranger.place, message);
        }
        let after_length = ty.number("length").map(|(_, length)| length.primitive.size());
        if encoding.primitive.size() != 1 {
            let message = format!("`varData` of `{}` is {}, and its length counts bytes", ty.name, encoding.primitive);
            self.findings().error("data", body.place, message).hint("use char or uint8");
        }
        if after_length.is_some_and(|length| length != body.offset) {
            let message = format!("`varData` of `{}` must follow `length` directly", ty.name);
            self.findings().error("data", body.place, message);
        }
    }

    /// Nothing may claim to be from a later version than the schema's own.
    fn check_versions(&mut self, root: ElementId, version: u32) {
        let tree = self.resolver.reader.tree;
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            stack.extend(tree.children(id));
            let Some(attribute) = tree.get(id).attribute("sinceVersion") else { continue };
            if let Some(since) = attribute.value.trim().parse::<u32>().ok().filter(|&since| since > version) {
                let message = format!("`sinceVersion` {since} is above the schema's version, {version}");
                self.findings()
                    .error("since-version", attribute.place, message)
                    .hint("raise the schema's `version` with each change");
            }
        }
    }
}

/// The greatest number that a member of a header or a dimension can carry.
fn greatest(composite: &Composite, member: &str) -> Option<i128> {
    let (_, encoding) = composite.number(member)?;
    Some(constant(encoding).unwrap_or(encoding.primitive.range().1))
}

/// The value of a constant integer.
fn constant(encoding: &Encoding) -> Option<i128> {
    match (encoding.presence, &encoding.constant) {
        (Presence::Constant, Some(Constant::Number(number) | Constant::Enum { number, .. })) => number.as_int(),
        _ => None,
    }
}
