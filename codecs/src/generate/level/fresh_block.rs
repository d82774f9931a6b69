//! The bytes of a block before anything is written: zeros, and null values in optional fields. Encoders start with
//! them.

use crate::schema::{Body, ByteOrder, Presence, Type};

/// The bytes of a fresh block.
pub(super) fn fresh_block(body: &Body, order: ByteOrder) -> Vec<u8> {
    let mut bytes = vec![0; body.block_length as usize];
    for field in body.fields.iter().filter(|field| field.presence != Presence::Constant) {
        fill(&field.ty, field.presence, &mut bytes[field.offset as usize..], order);
    }
    bytes
}

/// Writes the bytes of a fresh value where they are not zero.
fn fill(ty: &Type, presence: Presence, bytes: &mut [u8], order: ByteOrder) {
    match ty {
        Type::Encoding(encoding) if presence == Presence::Optional => {
            for at in 0..encoding.length {
                let at = (at * encoding.primitive.size()) as usize;
                // The block was made to hold it, and the schema's null fits its type.
                let _ = encoding.primitive.write(encoding.null_for(presence), &mut bytes[at..], order);
            }
        }
        Type::Enum(of) if presence == Presence::Optional => {
            let _ = of.primitive.write(of.null, bytes, order);
        }
        Type::Composite(of) => {
            for member in &of.members {
                if member.ty.presence() != Presence::Constant && !(of.variable && member.name == "varData") {
                    fill(&member.ty, member.ty.presence(), &mut bytes[member.offset as usize..], order);
                }
            }
        }
        _ => {}
    }
}
