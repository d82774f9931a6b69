//! The Rust types for a schema's composites, enums and sets: their names, and the code that declares each once. Called
//! for every type that a field or a member has.

mod composite;
mod enumeration;
mod set;
mod slot;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

pub(super) use self::slot::{Slot, mapped};
use self::slot::{composite_slot, encoding_slot, wrapped_slot};
use super::names::{Scope, camel};
use super::options::Options;
use crate::schema::{Encoding, Enum, Presence, Primitive, Schema, Type};

/// The Rust names of a schema's types, and the code that declares them.
pub(super) struct Types {
    scope: Scope,
    /// The Rust names by the type's address. A type that several places refer to is declared once, and two types with
    /// the same name stay apart.
    names: HashMap<usize, Ident>,
    /// The addresses of the types whose code is in `code`, or is being made.
    declared: HashSet<usize>,
    pub(super) code: Vec<TokenStream>,
    options: Options,
    /// The constants of enums that constant fields use, by the enum's address.
    values: HashMap<usize, HashMap<String, Ident>>,
}

impl Types {
    pub(super) fn new(schema: &Schema, options: &Options) -> Self {
        let mut types = Self {
            scope: Scope::with_prelude(&["Order"]),
            names: HashMap::new(),
            declared: HashSet::new(),
            code: Vec::new(),
            options: options.clone(),
            values: HashMap::new(),
        };
        // All names first: a composite may refer to a type behind it, which is not its own.
        for ty in &schema.types {
            types.name(ty, "");
        }
        for ty in &schema.types {
            types.declare(ty, "");
        }
        types
    }

    /// The address and the name of a type, which gets one if it has none yet. A primitive type has no name.
    fn name(&mut self, ty: &Type, owner: &str) -> Option<(usize, Ident)> {
        let address = match ty {
            Type::Encoding(_) => return None,
            Type::Composite(of) => Arc::as_ptr(of) as usize,
            Type::Enum(of) => Arc::as_ptr(of) as usize,
            Type::Set(of) => Arc::as_ptr(of) as usize,
        };
        let scope = &mut self.scope;
        let name = self.names.entry(address).or_insert_with(|| {
            let owner = owner.trim_end_matches('_');
            scope.take(format!("{owner}{}", camel(ty.name())))
        });
        Some((address, name.clone()))
    }

    /// Declares a type if it is not declared yet, and returns its name in the module of types.
    fn declare(&mut self, ty: &Type, owner: &str) -> Option<Ident> {
        let (address, name) = self.name(ty, owner)?;
        if !self.declared.insert(address) {
            return Some(name);
        }
        let code = match ty {
            Type::Encoding(_) => return None,
            Type::Composite(of) => self.composite(of, &name),
            Type::Enum(of) => enumeration::code(of, &name, self.options.serde),
            Type::Set(of) => set::code(of, &name, self.options.serde),
        };
        self.code.push(code);
        Some(name)
    }

    /// The slot of a value of this type. `path` leads to the module of types; `owner` is the name of the item that
    /// contains an inline type.
    pub(super) fn slot(&mut self, ty: &Type, presence: Presence, path: &TokenStream, owner: &str) -> Slot {
        let name = self.declare(ty, owner);
        let path = path.clone();
        match (ty, name) {
            (Type::Encoding(encoding), _) => encoding_slot(encoding, presence),
            (Type::Enum(of), Some(name)) => {
                let ty = quote!(#path #name);
                let null = (presence == Presence::Optional).then(|| quote!(#ty::NULL));
                wrapped_slot(&ty, of.primitive, null)
            }
            (Type::Set(of), Some(name)) => wrapped_slot(&quote!(#path #name), of.primitive, None),
            (Type::Composite(of), Some(name)) => composite_slot(&quote!(#path #name), of.length),
            // Only an encoding has no declaration.
            (_, None) => encoding_slot(&Encoding::built_in(Primitive::UInt8), presence),
        }
    }

    /// The name of the constant for a value of an enum, which a constant field uses.
    pub(super) fn enum_constant(&mut self, of: &Arc<Enum>, value: &str) -> Option<Ident> {
        let constants = self.values.entry(Arc::as_ptr(of) as usize).or_insert_with(|| {
            of.values.iter().map(|value| value.name.clone()).zip(enumeration::constants(of)).collect()
        });
        constants.get(value).cloned()
    }
}
