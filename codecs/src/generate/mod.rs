//! Generates Rust from a schema: readable code without `unsafe` and without allocation, whose only dependency is the
//! runtime crate. Called by build scripts and by the command line. It writes no file itself: see [`crate::build`].

mod any_message;
mod constant;
mod documentation;
mod framing;
mod header;
mod level;
mod message;
mod names;
mod options;
mod primitive;
mod serde_attributes;
mod types;

use quote::quote;

use any_message::any;
use documentation::words;
use header::header;
use message::message;
use names::Scope;
use primitive::literal;
use types::Types;

pub use options::Options;

use crate::schema::{ByteOrder, Schema};

/// Why no code was generated from a schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// [`Options::runtime`] is not a path.
    #[error("`{0}` is not a path to the runtime crate")]
    Runtime(String),
    /// The generated text is not valid Rust. This is a fault of the generator.
    #[error("the generated code is not Rust, which is a fault of the generator: {0}")]
    NotRust(#[source] syn::Error),
}

/// Generates the code for a whole schema: the content of one module, which can be placed anywhere.
///
/// # Errors
///
/// [`Options::runtime`] is not a path, or the generated text is not valid Rust.
pub fn generate(schema: &Schema, options: &Options) -> Result<String, GenerateError> {
    let runtime: syn::Path =
        syn::parse_str(&options.runtime).map_err(|_| GenerateError::Runtime(options.runtime.clone()))?;
    let mut types = Types::new(schema, options);
    // `STAGE` is the parameter of encoders. As an argument it would be taken for a type of that name.
    let mut type_scope = Scope::with_prelude(&["AnyMessage", "AnyMessageOwned", "Header", "Order", "STAGE"]);
    let mut module_scope = Scope::with(&["runtime", "types", "core"]);
    let (mut messages, mut decoders) = (Vec::new(), Vec::new());
    for of in &schema.messages {
        let (code, decoder, owned) = message(options, schema, &mut types, of, &mut type_scope, &mut module_scope);
        messages.push(code);
        decoders.push((decoder, owned, of));
    }
    let order = match schema.byte_order {
        ByteOrder::LittleEndian => quote!(runtime::LittleEndian),
        ByteOrder::BigEndian => quote!(runtime::BigEndian),
    };
    let (id, version, package) = (literal(schema.id), literal(schema.version), &schema.package);
    let header = header(schema, options);
    let any = any(&decoders, options);
    let declared = &types.code;
    let file = quote! {
        use #runtime as runtime;

        /// The byte order of every value.
        pub type Order = #order;

        /// The schema's package.
        pub const PACKAGE: &str = #package;
        /// The schema's id, which every header carries.
        pub const SCHEMA_ID: u32 = #id;
        /// The version of the schema that encoders write.
        pub const SCHEMA_VERSION: u32 = #version;

        #header
        #any
        #(#messages)*

        /// The types that fields have.
        pub mod types {
            #[allow(unused_imports)]
            use super::{Order, runtime};
            #(#declared)*
        }
    };
    let file = syn::parse2(file).map_err(GenerateError::NotRust)?;
    let mut code =
        format!("// SBE codecs of package `{}`, schema {}, version {}. ", words(package), schema.id, schema.version);
    code.push_str("Generated from the schema: change that, not this.\n\n");
    code.push_str(&prettyplease::unparse(&file));
    Ok(code)
}
