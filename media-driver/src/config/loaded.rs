//! A configuration with the source of each value: for the operator, who may print it, and for the errors that name a
//! setting.

use std::path::Path;

use super::DriverConfig;
use super::error::{Source, Stated};
use super::table::{PROPERTIES, find};
use super::value::Form;

/// A configuration and the source of each value.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: DriverConfig,
    /// Notices for the operator that do not prevent the driver from starting: settings without effect, names of other
    /// programs. One sentence each.
    pub notices: Vec<String>,
    /// The sources, in the order of the table.
    pub(super) sources: Vec<Source>,
}

impl Loaded {
    /// The source of a setting's value. `property` is any of its names.
    pub fn source(&self, property: &str) -> Option<&Source> {
        find(property).map(|index| &self.sources[index])
    }

    /// The configuration as the text of an equivalent configuration file, with the source of each value. The
    /// termination token is not shown. The default directory is shown as a comment, because it depends on the user.
    pub fn print(&self, default_dir: &Path) -> String {
        let mut page = String::new();
        let mut section = "";
        for (property, source) in PROPERTIES.iter().zip(&self.sources) {
            if property.section != section {
                if !section.is_empty() {
                    page.push('\n');
                }
                section = property.section;
                page.push_str(&format!("[{section}]\n"));
            }
            let value = property.show(&self.config);
            let line = if property.key == "termination_token" && !value.is_empty() {
                format!("# {} is set and not shown", property.key)
            } else if value.is_empty() && property.property == "aeron.dir" {
                format!("# {} = {}", property.key, toml::Value::String(default_dir.display().to_string()))
            } else if !value.is_empty() && matches!(property.form, Form::Flag | Form::Number) {
                format!("{} = {value}", property.key)
            } else {
                format!("{} = {}", property.key, toml::Value::String(value))
            };
            page.push_str(&format!("{line:<60} # {}: {source}\n", property.property));
        }
        page
    }

    /// A setting for an error.
    pub(super) fn stated(&self, property: &'static str) -> Stated {
        let index = find(property).expect("relations name properties of the table");
        Stated { property, value: PROPERTIES[index].show(&self.config), source: self.sources[index].clone() }
    }
}
