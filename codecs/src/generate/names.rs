//! Names of a schema as names of Rust: cased as Rust has it, never a keyword, never the same twice in one scope.

use std::collections::HashSet;

use proc_macro2::{Ident, Span};

/// Splits a name into words: at underscores and whatever no identifier holds, before a capital that follows a small
/// letter or a digit, and before the last capital of an acronym.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (at, &c) in characters.iter().enumerate() {
        if !c.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let previous = at.checked_sub(1).map(|at| characters[at]);
        let next = characters.get(at + 1);
        let starts = match previous {
            Some(previous) if c.is_uppercase() => {
                previous.is_lowercase()
                    || previous.is_numeric()
                    || (previous.is_uppercase() && next.is_some_and(|next| next.is_lowercase()))
            }
            _ => false,
        };
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn safe(name: String) -> String {
    match name.chars().next() {
        None => "_unnamed".to_owned(),
        Some(c) if c.is_numeric() => format!("_{name}"),
        Some(_) => name,
    }
}

/// `snake_case`, for functions and modules.
pub(super) fn snake(name: &str) -> String {
    safe(words(name).iter().map(|word| word.to_lowercase()).collect::<Vec<_>>().join("_"))
}

/// `SCREAMING_SNAKE_CASE`, for constants.
pub(super) fn screaming(name: &str) -> String {
    safe(words(name).iter().map(|word| word.to_uppercase()).collect::<Vec<_>>().join("_"))
}

/// `UpperCamelCase`, for types. Capitals inside a word are left as they are: `MDEntry` stays.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut characters = part.chars();
        camel.extend(characters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(characters.as_str());
    }
    safe(camel)
}

/// An identifier for a name: raw where it is a keyword, with an underscore where Rust allows no raw one.
pub(super) fn identifier(name: &str) -> Ident {
    if matches!(name, "self" | "Self" | "super" | "crate" | "_") {
        return Ident::new(&format!("{name}_"), Span::call_site());
    }
    syn::parse_str::<Ident>(name).unwrap_or_else(|_| {
        // A keyword, or characters that Rust does not have in names.
        syn::parse_str::<Ident>(&format!("r#{name}")).unwrap_or_else(|_| {
            let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            Ident::new(&format!("x_{plain}"), Span::call_site())
        })
    })
}

/// The names taken in one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    taken: HashSet<String>,
}

impl Scope {
    /// A scope in which some names are taken by what every generated item has.
    pub(super) fn with(taken: &[&str]) -> Self {
        Self { taken: taken.iter().map(|&name| name.to_owned()).collect() }
    }

    /// Takes a name, or the nearest one that is free: with underscores behind it.
    pub(super) fn take(&mut self, name: String) -> Ident {
        self.take_all(name, &[])
    }

    /// Takes a name such that it is free with each of `suffixes` behind it as well.
    pub(super) fn take_all(&mut self, mut name: String, suffixes: &[&str]) -> Ident {
        while self.taken.contains(&name) || suffixes.iter().any(|suffix| self.taken.contains(&joined(&name, suffix))) {
            name.push('_');
        }
        self.taken.extend(suffixes.iter().map(|suffix| joined(&name, suffix)));
        self.taken.insert(name.clone());
        identifier(&name)
    }

    /// Takes names that what follows cannot have, whoever has them already.
    pub(super) fn reserve(&mut self, names: &[&str]) {
        self.taken.extend(names.iter().map(|&name| name.to_owned()));
    }
}

/// A name with a suffix. Underscores that made it unique stay at the end, where Rust's naming allows them.
fn joined(name: &str, suffix: &str) -> String {
    let stem = name.trim_end_matches('_');
    format!("{stem}{suffix}{}", &name[stem.len()..])
}

/// The identifier for another identifier with a suffix.
pub(super) fn with_suffix(name: &Ident, suffix: &str) -> Ident {
    let name = name.to_string();
    identifier(&joined(name.strip_prefix("r#").unwrap_or(&name), suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cased_as_rust_has_it() {
        for (name, expected) in [
            ("UPPERCase", "upper_case"),
            ("UPPERCASE", "uppercase"),
            ("FIXMessage", "fix_message"),
            ("NoMDEntries", "no_md_entries"),
            ("SecurityIDSource", "security_id_source"),
            ("a1", "a1"),
            ("already_snake", "already_snake"),
            ("with blanks!", "with_blanks"),
            ("2fast", "_2fast"),
            ("", "_unnamed"),
        ] {
            assert_eq!(snake(name), expected);
        }
        assert_eq!(camel("MDEntryTypeBook"), "MDEntryTypeBook");
        assert_eq!(camel("varDataEncoding"), "VarDataEncoding");
        assert_eq!(screaming("sunRoof"), "SUN_ROOF");
    }

    #[test]
    fn keywords_and_clashes_become_names() {
        assert_eq!(identifier("yield").to_string(), "r#yield");
        assert_eq!(identifier("self").to_string(), "self_");
        let mut scope = Scope::with(&["decode"]);
        assert_eq!(scope.take("decode".into()).to_string(), "decode_");
        assert_eq!(scope.take_all("name".into(), &["_str"]).to_string(), "name");
        assert_eq!(scope.take("name_str".into()).to_string(), "name_str_");
    }
}
