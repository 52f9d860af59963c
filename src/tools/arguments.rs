//! A tool's arguments as a Rust struct: its schema for the model, and its parsing.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ToolOutput;

/// The JSON Schema (draft 2020-12) of an arguments struct, for [`ToolSpec::parameters`].
///
/// Subschemas stand inline, because not every model server resolves `$ref`. The names and the
/// documentation of the struct itself are left out: they are for Rust readers.
///
/// [`ToolSpec::parameters`]: super::ToolSpec::parameters
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.remove("description");
    schema.to_value()
}

/// Reads the arguments of a call, or says to the model what is wrong with them.
///
/// # Errors
///
/// A finished error output: the tool returns it as it is.
pub fn parse<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, ToolOutput> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| ToolOutput::error(format!("wrong arguments: {error}")))
}
