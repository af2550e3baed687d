//! The JSON Schema an editor uses: current, and of one mind with the tool.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use pgdeploy_pipeline as pipeline;
use serde_json::Value;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.schema.json")
}

fn is_valid(text: &str) -> bool {
    let value: Value = serde_yaml::from_str(text).unwrap();
    jsonschema::validator_for(&pipeline::json_schema()).unwrap().is_valid(&value)
}

/// `UPDATE_SCHEMA=1 cargo test -p pgdeploy-pipeline` writes it anew.
#[test]
fn the_committed_schema_is_current() {
    let current = serde_json::to_string_pretty(&pipeline::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(committed(), &current).unwrap();
    }
    let committed = std::fs::read_to_string(committed()).unwrap();
    assert!(committed == current, "pipeline.schema.json is not current: run the tests with UPDATE_SCHEMA=1");
}

#[test]
fn what_the_tool_accepts_the_schema_accepts() {
    let smallest = "{version: 1, name: crm, environments: {dev: {database: embedded}}}";
    for text in [smallest, include_str!("full.yaml"), include_str!("../../../pipeline.yaml")] {
        pipeline::parse(text, Path::new("pipeline.yaml")).unwrap();
        assert!(is_valid(text), "{text}");
    }
}

#[test]
fn what_the_schema_refuses_the_tool_refuses() {
    let cases = [
        "{version: 2, name: crm, environments: {dev: {database: embedded}}}",
        "{version: 1, name: CRM, environments: {dev: {database: embedded}}}",
        "{version: 1, name: crm, environments: {}}",
        "{version: 1, name: crm, environments: {dev: {}}}",
        "{version: 1, name: crm, environments: {Dev: {database: embedded}}}",
        "{version: 1, name: crm, environments: {dev: {database: {}}}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, lock: {wait: 5}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, lock: {wait: 5M}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, lock: {wayt: 5s}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, lock: null}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, services: {stop: {run: []}}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, ledger_schema: pg_x}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, stages: {backfill: {batch_size: 0}}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, stages: {index: {on_drift: drop}}}",
        "{version: 1, name: crm, environments: {dev: {database: embedded}}, stages: {index: {parallel: 33}}}",
    ];
    for text in cases {
        assert!(!is_valid(text), "{text}");
        assert!(pipeline::parse(text, Path::new("pipeline.yaml")).is_err(), "{text}");
    }
}

#[test]
fn every_key_is_described() {
    fn undescribed(schema: &Value, way: &str, found: &mut Vec<String>) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(format!("{way}.{key}"));
            }
        }
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            undescribed(definition, name, found);
        }
    }
    let mut found = Vec::new();
    undescribed(&pipeline::json_schema(), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
