//! Values that know where they were written.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// A value with its bytes in the file. In the JSON Schema it is the value alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct At<T> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: T,
}

impl<T> At<T> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A mapping with keys of the user's choosing, in the order of the file. In the JSON Schema it is an object.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Entries<T>(pub(crate) Vec<(At<String>, T)>);

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Entries_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": value,
            "propertyNames": { "pattern": crate::name::PATTERN },
        })
    }
}
