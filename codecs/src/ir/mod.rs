//! The compiled form of a schema: the tokens of the official tool's intermediate representation, and the `.sbeir` files
//! that hold them. [`Ir::of`] converts a schema to tokens and [`Ir::to_schema`] converts it back with the same layout,
//! so that messages decode the same with either. Used by the command line and by build scripts. Every byte of a file is
//! checked before it is used.
//!
//! ```
//! use gannet_codecs::ir::{Form, Ir};
//! use gannet_codecs::schema::{Options, compile_text};
//!
//! # let xml = r#"<messageSchema package="p" id="1"><types><composite name="messageHeader">
//! #   <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
//! #   <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite></types>
//! #   <message name="Tick" id="7"><field name="price" id="1" type="int32"/></message></messageSchema>"#;
//! let schema = compile_text("tick.xml", xml, &Options::default())?.schema;
//! let bytes = Ir::of(&schema)?.to_bytes(Form::From1_36)?;
//! let again = Ir::read(&bytes)?.to_schema()?;
//! assert_eq!(again.messages[0].body.fields[0].name, "price");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The format cannot hold everything. These are lost: the schema's description, types that no message uses, places in
//! the XML, and whether an enum inside a composite is optional.

mod error;
mod from_schema;
mod read;
mod to_schema;
mod token;
mod write;

pub use error::IrError;
pub use token::{Ir, Signal, Token};

/// The two forms that tokens have had in files. A file does not say which form it has, so a reader tries both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Eleven texts and values for each token, as the official tool wrote them until 1.35.
    Until1_35,
    /// Twelve texts and values for each token. The last is the package of the enclosing `types`.
    #[default]
    From1_36,
}

impl Form {
    /// Both forms, the newer one first.
    pub const ALL: [Self; 2] = [Self::From1_36, Self::Until1_35];
}

impl Ir {
    /// Sorts the messages into the order in which the official tool writes them, which is the order of its hash table
    /// and not of the document. Only comparisons of files need this.
    pub fn sort_as_official(&mut self) {
        // The hash table's size is a power of two. It is doubled when it is three quarters full, and keeps the order of
        // insertion within a bucket. The hash of an id is the id itself, folded once.
        let mut buckets = 16;
        while self.messages.len() * 4 > buckets * 3 {
            buckets *= 2;
        }
        self.messages.sort_by_key(|tokens| {
            let id = tokens.first().map_or(0, |token| token.id as u32);
            (id ^ id >> 16) as usize & (buckets - 1)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_24_the_official_order_of_messages_is_that_of_a_hash_table() {
        let message = |id| vec![Token { id, ..Token::new(Signal::BeginMessage, "m") }];
        let mut ir = Ir {
            id: 1,
            version: 0,
            package: String::new(),
            namespace: None,
            semantic_version: None,
            header: Vec::new(),
            messages: [300, 5, 70_000, 17, 1, 33, 16].map(message).into(),
        };
        ir.sort_as_official();
        let ids: Vec<i32> = ir.messages.iter().map(|tokens| tokens[0].id).collect();
        assert_eq!(ids, [16, 70_000, 17, 1, 33, 5, 300]);
    }
}
