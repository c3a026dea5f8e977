//! `-o`: a table for people, JSON and YAML for programs.

use clap::ValueEnum;
use serde::Serialize;

use super::{Exit, Failure, print, safe_value};

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Prints `object` as JSON or YAML. A table has no such form: who calls this has printed it already.
pub fn print_object(format: Format, object: &impl Serialize) -> Result<(), Failure> {
    print(&object_text(format, object)?);
    Ok(())
}

/// The text that [`print_object`] prints.
pub fn object_text(format: Format, object: &impl Serialize) -> Result<String, Failure> {
    let broken =
        |error: &dyn core::fmt::Display| Failure { line: format!("the result cannot be written: {error}"), exit: Exit::Usage };
    let mut value = serde_json::to_value(object).map_err(|error| broken(&error))?;
    safe_value(&mut value);
    match format {
        Format::Table => Ok(String::new()),
        Format::Json => Ok(serde_json::to_string_pretty(&value).map_err(|error| broken(&error))? + "\n"),
        Format::Yaml => serde_saphyr::to_string(&value).map_err(|error| broken(&error)),
    }
}
