//! The description of a setting: its names, default, limits and meaning, and how its text gets into a [`DriverConfig`].
//! The table consists of these. Every source, the printed configuration and the reference page use them.

use std::fmt;

use gannet::quantity::{checked_duration_ns, checked_size};

use super::DriverConfig;
use super::value::{Form, Value};

/// One setting of the driver.
#[derive(Debug)]
pub struct Property {
    /// The group of [`DriverConfig`] that contains it, and its section in a configuration file.
    pub section: &'static str,
    /// The field within the group, and its key within the section.
    pub key: &'static str,
    /// The Java property's name. Names are case-insensitive, and `.` and `_` are equivalent.
    pub property: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// Other names that the reference or its past versions use.
    pub aliases: &'static [&'static str],
    /// The default's text, as in the reference. A profile may override it.
    pub default: &'static str,
    /// The form of the text.
    pub form: Form,
    /// The allowed values.
    pub limits: Limits,
    /// Whether this version uses it.
    pub effect: Effect,
    pub(super) doc: &'static str,
    pub(super) set: fn(&mut DriverConfig, &str, Limits) -> Result<(), Refusal>,
    pub(super) show: fn(&DriverConfig) -> String,
}

/// The allowed values of a setting: sizes in bytes, durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The minimum.
    pub min: i128,
    /// The maximum.
    pub max: i128,
    /// An additional rule.
    pub rule: Rule,
}

/// A rule for values besides their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No rule.
    Any,
    /// The value is a power of two.
    PowerOfTwo,
    /// The value is a power of two plus the given trailer.
    PowerOfTwoPlus(i128),
    /// The value is a multiple of the given unit.
    MultipleOf(i128),
}

/// Whether this version of the driver uses a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does.
    Now,
    /// It never will, for the given reason.
    Never(&'static str),
}

/// Why a text was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not have the setting's form.
    Form,
    /// It is outside the limits.
    Limits,
    /// It is greater than the limits, or than can be counted.
    TooGreat,
}

impl Limits {
    /// No limits except those of the type.
    pub const NONE: Self = Self { min: i128::MIN, max: i128::MAX, rule: Rule::Any };

    /// From `min` to `max`, both included.
    pub const fn between(min: i128, max: i128) -> Self {
        Self { min, max, rule: Rule::Any }
    }

    /// Adds a rule.
    pub const fn and(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Whether the maximum is that of the type, and no smaller one.
    const fn max_is_of_type(self) -> bool {
        self.max >= i64::MAX as i128
    }

    fn allow(self, value: i128) -> bool {
        (self.min..=self.max).contains(&value)
            && match self.rule {
                Rule::Any => true,
                Rule::PowerOfTwo => value > 0 && value.count_ones() == 1,
                Rule::PowerOfTwoPlus(trailer) => value > trailer && (value - trailer).count_ones() == 1,
                Rule::MultipleOf(unit) => value % unit == 0,
            }
    }
}

impl Property {
    /// Whether `name` is one of this setting's names: Java property, environment variable, alias, or `section.key`.
    pub fn is_named(&self, name: &str) -> bool {
        let same = |known: &str| same_name(known, name);
        same(self.property)
            || same(self.variable)
            || self.aliases.iter().any(|alias| same(alias))
            || name.split_once('.') == Some((self.section, self.key))
    }

    /// The setting's description, in one or more sentences.
    pub fn meaning(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The value in `config`, as text.
    pub fn show(&self, config: &DriverConfig) -> String {
        (self.show)(config)
    }

    /// The allowed values in words. Empty if the form says everything.
    pub fn allowed(&self) -> String {
        let Limits { min, max, rule } = self.limits;
        // A limit of the type itself is not worth showing.
        let mut words = match (min == i128::MIN, self.limits.max_is_of_type()) {
            (true, true) => String::new(),
            (false, true) => format!("at least {}", self.form.show_limit(min)),
            (true, false) => format!("at most {}", self.form.show_limit(max)),
            (false, false) => format!("{} to {}", self.form.show_limit(min), self.form.show_limit(max)),
        };
        let rule = match rule {
            Rule::Any => return words,
            Rule::PowerOfTwo => "a power of two".to_owned(),
            Rule::PowerOfTwoPlus(trailer) => format!("a power of two plus {trailer}"),
            Rule::MultipleOf(unit) => format!("a multiple of {unit}"),
        };
        if !words.is_empty() {
            words.push_str(", ");
        }
        words + &rule
    }

    /// The allowed values in words, for whoever stated another one.
    pub(super) fn allowed_instead(&self, refusal: Refusal) -> String {
        let Limits { max, .. } = self.limits;
        if refusal == Refusal::TooGreat && self.limits.max_is_of_type() && max < i128::MAX {
            return format!("at most {}", self.form.show_limit(max));
        }
        Some(self.allowed()).filter(|allowed| !allowed.is_empty()).unwrap_or_else(|| self.form.to_string())
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.property)
    }
}

/// Whether two names are the same. The reference turns property names into variables by converting them to upper case
/// and replacing dots.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

fn fold(byte: u8) -> u8 {
    if byte == b'.' { b'_' } else { byte.to_ascii_uppercase() }
}

/// Parses `text` and stores the value in `field`, if it is valid and within the limits.
pub(super) fn set_field<T: Value>(field: &mut T, text: &str, limits: Limits) -> Result<(), Refusal> {
    let text = text.trim();
    // A type may have limits of its own. They count as a range, not as a form.
    let value = T::parse(text).ok_or_else(|| beyond_type(T::FORM, text))?;
    match value.magnitude() {
        Some(magnitude) if magnitude > limits.max => return Err(Refusal::TooGreat),
        Some(magnitude) if !limits.allow(magnitude) => return Err(Refusal::Limits),
        _ => {}
    }
    *field = value;
    Ok(())
}

/// Why a type does not take a text.
fn beyond_type(form: Form, text: &str) -> Refusal {
    let (sign, magnitude) = text.split_at(text.len() - text.trim_start_matches('-').len());
    let is_number = match form {
        Form::Number | Form::Cpu | Form::Milliseconds => {
            !magnitude.is_empty() && magnitude.bytes().all(|byte| byte.is_ascii_digit())
        }
        Form::Size => checked_size(magnitude).is_ok(),
        Form::Duration => checked_duration_ns(magnitude).is_ok(),
        _ => false,
    };
    match sign {
        "" if is_number => Refusal::TooGreat,
        "-" if is_number => Refusal::Limits,
        _ => Refusal::Form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_the_reference_folds_them() {
        assert!(same_name("aeron.multicast.FlowControl.supplier", "AERON_MULTICAST_FLOWCONTROL_SUPPLIER"));
        assert!(!same_name("aeron.dir", "aeron.dirs"));
    }

    #[test]
    fn limits_and_rules() {
        let ring = Limits::between((1 << 20) + 768, (1 << 31) - 1).and(Rule::PowerOfTwoPlus(768));
        assert!(ring.allow((1 << 20) + 768));
        assert!(ring.allow((2 << 20) + 768));
        assert!(!ring.allow(2 << 20));
        assert!(!ring.allow((1 << 19) + 768));
        assert!(!Limits::NONE.and(Rule::PowerOfTwo).allow(0));
        let mut field = 0_u32;
        assert_eq!(set_field(&mut field, " 16 ", Limits::between(1, 256)), Ok(()));
        assert_eq!(field, 16);
        assert_eq!(set_field(&mut field, "257", Limits::between(1, 256)), Err(Refusal::TooGreat));
        assert_eq!(set_field(&mut field, "99999999999", Limits::between(1, 256)), Err(Refusal::TooGreat));
        assert_eq!(set_field(&mut field, "-1", Limits::between(1, 256)), Err(Refusal::Limits));
        assert_eq!(set_field(&mut field, "many", Limits::between(1, 256)), Err(Refusal::Form));
        assert_eq!(field, 16, "what is refused changes nothing");
    }
}
