//! The serde attributes of generated structs; none if serde's traits are not requested. Called for owned forms, for
//! composites and for the header.

use proc_macro2::TokenStream;
use quote::quote;

use super::options::Options;
use super::types::Slot;

/// The derives and attributes of a struct that has serde implementations.
pub(super) fn derives(options: &Options) -> TokenStream {
    if options.serde {
        quote! {
            #[derive(runtime::serde::Serialize, runtime::serde::Deserialize)]
            #[serde(crate = "runtime::serde")]
        }
    } else {
        TokenStream::new()
    }
}

/// The attribute of a field of such a struct: its name in the schema, its form, and whether it may be left out.
pub(super) fn field_attribute(options: &Options, name: &str, form: Option<&str>, may_lack: bool) -> TokenStream {
    if !options.serde {
        return TokenStream::new();
    }
    let form = form.map(|form| quote!(, with = #form));
    let default = may_lack.then(|| quote!(, default));
    quote!(#[serde(rename = #name #form #default)])
}

/// The serde form of a value of fixed length, if it differs from the form of the value's type.
pub(super) fn form(slot: &Slot, optional: bool) -> Option<&'static str> {
    let [required, optional_form] = match (slot.text.is_some(), slot.is_array, slot.is_float) {
        (true, ..) => ["runtime::forms::text", "runtime::forms::optional_text"],
        (_, true, true) => ["runtime::forms::float_array", "runtime::forms::optional_float_array"],
        (_, true, false) => ["runtime::forms::array", "runtime::forms::optional_array"],
        (_, false, true) => ["runtime::forms::float", "runtime::forms::optional_float"],
        _ => return None,
    };
    Some(if optional { optional_form } else { required })
}
