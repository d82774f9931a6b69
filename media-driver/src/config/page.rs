//! The reference page of all settings, `docs/configuration.md`, made from the table. A test compares the file with this
//! output; to renew the file, run that test with `GANNET_RENEW=1`.

use std::fmt::Write as _;

use super::property::Effect;
use super::table::{PROPERTIES, SECTIONS};
use super::value::Form;
use super::words::Profile;

const HEAD: &str = "\
# Configuration of the driver

This page is made from the driver's table of settings; a test keeps it current.

Every setting has a Java property name (`aeron.*`), an environment variable (`AERON_*`), and a section and a key in a
configuration file. Names, meanings and defaults are those of Aeron's C driver; settings whose names begin with `gannet.`
are Gannet's own. A value may come from several sources, and a later one wins:

1. the default below,
2. the profile, which is `balanced` unless another is chosen,
3. the configuration file (`--config FILE`, TOML),
4. environment variables,
5. `-D name=value` arguments,
6. properties files (positional arguments; `name=value` or `name:value`, `#` and `!` begin comments, a trailing `\\`
   continues a line),
7. flags, such as `--dir`.

`gannet-driver --print-config` prints the resulting configuration, and the source of each value. What it prints is a
configuration file that gives the same result. Only a termination token is not printed, and has to be put back.

- Sizes are bytes, with an optional suffix `k`, `m` or `g` (powers of 1024).
- Durations are nanoseconds (`driver_timeout`: milliseconds), or have a suffix `s`, `ms`, `us` or `ns`. Both are whole
  numbers: `1500ms`, not `1.5s`.
- Blanks around a value are no part of it.
- An empty environment variable or property undoes what the environment and the properties have set so far.
- An unknown name is an error that names the nearest known one. An unknown environment variable is only a warning, since
  other programs share the environment; so is an unknown name in a properties file that begins with neither `aeron.` nor
  `gannet.`. Names of Aeron's other programs, such as `aeron.archive.*`, are skipped: silently in the environment, with a
  warning in properties.
- A value out of range is an error; it is never moved to the nearest limit. So are values that do not go together, such as
  a `client_liveness` shorter than `timer_interval`.
- A setting marked *no effect* is read and checked, but not acted on. The driver warns when one is set to anything but its
  default.

";

/// Returns the page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("## Profiles\n\n| Setting |");
    let profiles = [Profile::LowLatency, Profile::Balanced, Profile::Frugal];
    for profile in profiles {
        let _ = write!(page, " `{profile}` |");
    }
    page.push_str("\n| --- | --- | --- | --- |\n");
    for property in PROPERTIES {
        let said = profiles.map(|profile| {
            profile.settings().iter().find(|(name, _)| *name == property.property).map(|(_, text)| *text)
        });
        if said.iter().any(Option::is_some) {
            let _ = write!(page, "| `{property}` |");
            for text in said {
                let _ = write!(page, " {} |", code(text.unwrap_or(property.default)));
            }
            page.push('\n');
        }
    }
    for (section, doc) in SECTIONS {
        let _ = write!(page, "\n## [{section}]\n\n{}\n", doc.trim());
        for property in PROPERTIES.iter().filter(|property| property.section == *section) {
            let _ = write!(page, "\n### {}\n\n{}\n\n", property.key, property.meaning());
            let _ = writeln!(page, "- property `{}`, variable `{}`", property.property, property.variable);
            for alias in property.aliases {
                let _ = writeln!(page, "- also `{alias}`");
            }
            let default = if property.default.is_empty() { "none".to_owned() } else { code(property.default) };
            let by_profile =
                profiles.iter().any(|profile| profile.settings().iter().any(|(name, _)| *name == property.property));
            let by_profile = if by_profile { ", unless the profile says otherwise" } else { "" };
            let _ = writeln!(page, "- default {default}{by_profile}");
            let mut values = match property.form {
                Form::Word(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
                Form::Text | Form::Path => String::new(),
                form => form.to_string(),
            };
            let allowed = property.allowed();
            if !allowed.is_empty() {
                values = format!("{values}; {allowed}");
            }
            if !values.is_empty() {
                let _ = writeln!(page, "- values: {values}");
            }
            match property.effect {
                Effect::Now => {}
                Effect::Never(why) => {
                    let _ = writeln!(page, "- *no effect*: {why}");
                }
            }
        }
    }
    page
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at files and wait, with deadlines")]
mod tests {
    use std::path::Path;

    #[test]
    fn the_page_in_the_repository_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
        let page = super::page();
        if std::env::var_os("GANNET_RENEW").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == page,
            "docs/configuration.md is not what the table says; renew it with \
             GANNET_RENEW=1 cargo test -p gannet-driver the_page_in_the_repository_is_current"
        );
    }
}
