//! Warns of names that cause trouble for code generators. These are the warnings of the official tool, which generates
//! C++, Go, Java and C#. Run over the whole tree once it is resolved. Never refuses a schema.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::findings::Findings;
use super::xml::{ElementId, Tree};

const CPP: &str = "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t \
    class compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype \
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int \
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register \
    reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this \
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq";
const GO: &str = "break case chan const continue default defer else fallthrough for func go goto if import interface map \
    package range return select struct switch type var";
const JAVA: &str = "abstract assert boolean break byte case catch char class const continue default do double else enum \
    extends false final finally float for goto if implements import instanceof int interface long native new null \
    package private protected public return short static strictfp super switch synchronized this throw throws \
    transient true try void volatile while yield";
const CSHARP: &str = "abstract as base bool break byte case catch char checked class const continue decimal default \
    delegate do double else enum event explicit extern false finally fixed float for foreach goto if implicit in int \
    interface internal is lock long namespace new null object operator out override params private protected public \
    readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof \
    uint ulong unchecked unsafe ushort using virtual void volatile while";

/// Warns of every name that is not an identifier, or is a keyword, in one of the four languages, and of names that
/// become equal in a language with one convention for names.
pub(super) fn check(tree: &Tree, root: ElementId, findings: &mut Findings) {
    let words = |text: &'static str| text.split_whitespace().collect::<HashSet<_>>();
    let (cpp, go, java, csharp) = (words(CPP), words(GO), words(JAVA), words(CSHARP));
    let mut stack = vec![(root, false)];
    while let Some((id, in_composite)) = stack.pop() {
        let element = tree.get(id);
        stack.extend(tree.children(id).map(|child| (child, element.name == "composite")));
        check_siblings(tree, id, findings);
        let named = is_named(&element.name);
        let Some(attribute) = element.attribute("name").filter(|name| named && !in_composite && !name.value.is_empty())
        else {
            continue;
        };
        let name = attribute.value.as_str();
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        let plain = |extra: char| !digit && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == extra);
        let dotted = name.split('.').all(|part| !part.is_empty()) && plain('.') || name.contains('$');
        let languages =
            [("C++", plain('_'), &cpp), ("Go", plain('_'), &go), ("Java", dotted, &java), ("C#", plain('@'), &csharp)];
        let (mut refused, mut keyword) = (String::new(), String::new());
        for (language, sound, keywords) in languages {
            let list = if !sound {
                &mut refused
            } else if keywords.contains(name) {
                &mut keyword
            } else {
                continue;
            };
            let _ = write!(list, "{}{language}", if list.is_empty() { "" } else { ", " });
        }
        if !refused.is_empty() {
            let message = format!("`{name}` is not a name in {refused}");
            findings
                .warning("name", attribute.place, message)
                .hint("use letters, digits and underscores, so that every language can read the schema");
        }
        if !keyword.is_empty() {
            findings.warning("name", attribute.place, format!("`{name}` is a keyword in {keyword}"));
        }
    }
}

fn is_named(element: &str) -> bool {
    matches!(
        element,
        "type" | "composite" | "enum" | "set" | "message" | "group" | "field" | "data" | "validValue" | "choice"
    )
}

/// Warns of sibling names that differ only in how their words are separated.
fn check_siblings(tree: &Tree, parent: ElementId, findings: &mut Findings) {
    let mut seen: HashMap<String, &super::xml::Attribute> = HashMap::new();
    for child in tree.children(parent) {
        let element = tree.get(child);
        let Some(name) = element.attribute("name").filter(|_| is_named(&element.name) || element.name == "ref") else {
            continue;
        };
        let folded: String = name.value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        match seen.get(&folded) {
            Some(other) if other.value != name.value => {
                let message = format!(
                    "`{}` and `{}` come out the same where words are written in one way",
                    name.value, other.value
                );
                findings
                    .warning("name-clash", name.place, message)
                    .related(other.place, "the other")
                    .hint("rename one of them: generated code has to add an underscore");
            }
            Some(_) => {}
            None => {
                seen.insert(folded, name);
            }
        }
    }
}
