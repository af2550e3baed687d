//! The JSON Schema of pipeline.yaml, for editors and for `shape`.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::raw::Raw;

/// The keyword of ours that lists keys which are documented but refused by this version.
pub(crate) const NOT_YET: &str = "x-not-supported-yet";

/// The JSON Schema (draft 2020-12) of pipeline.yaml, as it is committed in `pipeline.schema.json`.
pub fn json_schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Raw>();
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema.sort_all_objects();
    schema
}

/// An absent key is left out, not written as null: the nullable types of `Option` become the types themselves.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|one| one != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
                branches.retain(|branch| branch["type"] != "null");
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    fields.extend(only);
                }
            }
            fields.values_mut().for_each(without_null);
        }
        _ => {}
    }
}
