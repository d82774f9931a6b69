//! Converts names of a schema to Rust names: in Rust's case style, never a keyword, and unique in their scope.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use proc_macro2::{Ident, Span};

/// Names of Rust's prelude that generated code uses. An item with such a name would hide the prelude's.
const PRELUDE: &[&str] = &[
    "AsRef",
    "Box",
    "Default",
    "Err",
    "FnMut",
    "From",
    "Into",
    "IntoIterator",
    "None",
    "Ok",
    "Option",
    "Result",
    "Some",
    "String",
    "ToString",
    "Vec",
];

/// Splits a name into words: at underscores and other characters that no identifier contains, before a capital that
/// follows a small letter or a digit, and before the last capital of an acronym.
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

/// Makes a name a safe identifier. A name that starts with a character that no identifier starts with gets an
/// underscore in front. A letter that not all compilers treat alike is replaced by its code: letters beyond those of
/// western Europe can look the same, be written in two ways, or become other letters when their case changes.
fn safe(cased: &str, unnamed: &str) -> String {
    let mut name = String::new();
    if cased.is_empty() {
        return unnamed.to_owned();
    }
    if cased.starts_with(|c: char| c.is_ascii_digit()) {
        // An underscore says little in front of nothing but digits.
        let number = !cased.contains(|c: char| c.is_alphabetic());
        name.push_str(if number { &unnamed[..1] } else { "_" });
    }
    for c in cased.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || (('\u{c0}'..='\u{ff}').contains(&c) && c.is_alphabetic()) {
            name.push(c);
        } else {
            let _ = match unnamed {
                "unnamed" => write!(name, "u{:04x}", u32::from(c)),
                _ => write!(name, "U{:04X}", u32::from(c)),
            };
        }
    }
    name
}

/// `snake_case`, for functions and modules.
pub(super) fn snake(name: &str) -> String {
    let words: Vec<String> = words(name).iter().map(|word| word.to_lowercase()).collect();
    safe(&words.join("_"), "unnamed")
}

/// `SCREAMING_SNAKE_CASE`, for constants.
pub(super) fn screaming(name: &str) -> String {
    let words: Vec<String> = words(name).iter().map(|word| word.to_uppercase()).collect();
    safe(&words.join("_"), "UNNAMED")
}

/// `UpperCamelCase`, for types. Capitals inside a word are left as they are: `MDEntry` stays.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut characters = part.chars();
        camel.extend(characters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(characters.as_str());
    }
    safe(&camel, "Unnamed")
}

/// The identifier for a name, raw if the name is a keyword.
pub(super) fn identifier(name: &str) -> Ident {
    // `gen` is a keyword from the 2024 edition on.
    let raw = name == "gen" || syn::parse_str::<Ident>(name).is_err();
    if raw { Ident::new_raw(name, Span::call_site()) } else { Ident::new(name, Span::call_site()) }
}

/// The names taken in one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    taken: HashSet<String>,
    /// For each taken name, how many variants of it have been made. These are not tried again.
    made: HashMap<String, usize>,
}

impl Scope {
    /// A scope in which the names that every generated item has are already taken.
    pub(super) fn with(taken: &[&str]) -> Self {
        Self { taken: taken.iter().map(|&name| name.to_owned()).collect(), made: HashMap::new() }
    }

    /// The scope of a module with its own items. The names of the prelude are taken too, because generated code uses
    /// them.
    pub(super) fn with_prelude(taken: &[&str]) -> Self {
        let mut scope = Self::with(PRELUDE);
        scope.reserve(taken);
        scope
    }

    /// Takes a name. If it is not free, takes the name followed by an underscore, or by a number and an underscore.
    pub(super) fn take(&mut self, name: String) -> Ident {
        self.take_all(name, &[])
    }

    /// Takes a name that is also free with each of `suffixes` behind it.
    pub(super) fn take_all(&mut self, wanted: String, suffixes: &[&str]) -> Ident {
        // These are no identifiers even when raw.
        let reserved = matches!(wanted.as_str(), "self" | "Self" | "super" | "crate");
        let mut name = if reserved { format!("{wanted}_") } else { wanted.clone() };
        while self.taken.contains(&name) || suffixes.iter().any(|suffix| self.taken.contains(&joined(&name, suffix))) {
            let made = self.made.entry(wanted.clone()).or_default();
            *made += 1;
            name = if *made == 1 { format!("{wanted}_") } else { format!("{wanted}{made}_") };
        }
        self.taken.extend(suffixes.iter().map(|suffix| joined(&name, suffix)));
        self.taken.insert(name.clone());
        identifier(&name)
    }

    /// Takes names so that later items cannot have them, even if earlier items do.
    pub(super) fn reserve(&mut self, names: &[&str]) {
        self.taken.extend(names.iter().map(|&name| name.to_owned()));
    }
}

/// A name with a suffix. Underscores that make the name unique stay at the end, where Rust's naming rules allow them.
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
            ("2", "u2"),
            ("", "unnamed"),
            ("größe", "größe"),
            ("数", "u6570"),
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
        assert_eq!(identifier("gen").to_string(), "r#gen");
        let mut scope = Scope::with(&["decode"]);
        assert_eq!(scope.take("decode".into()).to_string(), "decode_");
        assert_eq!(scope.take("self".into()).to_string(), "self_");
        assert_eq!(scope.take("self".into()).to_string(), "self2_");
        assert_eq!(scope.take_all("name".into(), &["_str"]).to_string(), "name");
        assert_eq!(scope.take("name_str".into()).to_string(), "name_str_");
    }

    #[test]
    fn many_names_that_come_out_the_same_take_little_time() {
        let mut scope = Scope::default();
        let names: HashSet<String> = (0..100_000).map(|_| scope.take_all("a".into(), &["_str"]).to_string()).collect();
        assert_eq!(names.len(), 100_000);
    }
}
