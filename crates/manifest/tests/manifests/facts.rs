//! Facts of pipelines, plain and nasty, and what reads a manifest.

use std::path::Path;
use std::time::Duration;

use pgdeploy_manifest::{Facts, SecretFile, Value as Supplied, Variable};
use serde_json::Value;

fn variable(name: &str, value: Supplied, deploys_only: bool) -> Variable {
    Variable { name: name.into(), value, deploys_only }
}

fn secret(key: &str, path: &str, deploys_only: bool) -> SecretFile {
    SecretFile { key: key.into(), what: format!("the {key}"), path: path.into(), deploys_only }
}

pub(crate) fn facts() -> Facts {
    Facts {
        pipeline: "crm".into(),
        environment: "production".into(),
        release: "4f1c09ab77e2".repeat(6)[..64].into(),
        config: "pipeline.yaml".into(),
        files: ["pipeline.yaml", "migrations", "indexes", "backfills"].map(String::from).into(),
        programs: Vec::new(),
        variables: vec![
            variable("PRODUCTION_DATABASE_URL", Supplied::Demanded, false),
            variable("STAGING_DATABASE_URL", Supplied::Demanded, true),
        ],
        secrets: Vec::new(),
        receipts: Vec::new(),
        receipt: None,
        image: "crm-release".into(),
        application: "crm-web:latest".into(),
        deadline: Duration::from_secs(9_300),
        has_backfills: true,
        version: "0.1.0".into(),
    }
}

/// With its URL in a file, as secrets are mounted, a name that has to be shortened, and no backfill.
pub(crate) fn other_facts() -> Facts {
    Facts {
        pipeline: format!("a_{}", "long_name_".repeat(6)),
        variables: Vec::new(),
        secrets: vec![secret("database-url", "/run/secrets/production_url", false)],
        has_backfills: false,
        ..facts()
    }
}

/// With everything that a name, a path and a value may hold.
pub(crate) fn nasty_facts() -> Facts {
    let nasty = "it's \"a\" \\ $HOME $(x) `y` #1, {b}: [c]\tö";
    Facts {
        pipeline: "shop_".into(),
        environment: "no".into(),
        config: nasty.into(),
        files: vec![nasty.into(), "*.d".into(), "[a]?".into()],
        programs: vec![format!("{nasty}\nRUN x (services.stop)")],
        variables: vec![
            variable("NO", Supplied::Demanded, false),
            variable("on", Supplied::Optional, false),
            variable("y", Supplied::Decided(nasty.into()), false),
            variable("DATABASE_URL", Supplied::Demanded, true),
        ],
        secrets: vec![
            secret("database-url", &format!("/{nasty}/a"), false),
            secret("receipt-key", "url", true),
        ],
        receipts: vec![format!("receipts/{nasty}.json"), "../b.json".into()],
        receipt: Some(format!("{nasty}/no.json")),
        image: "registry.example:5000/a\nb: c".into(),
        application: "weird \"app\": x # ${y} {{z}}".into(),
        ..facts()
    }
}

pub(crate) fn every_kind_of_facts() -> [Facts; 3] {
    [facts(), other_facts(), nasty_facts()]
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|one| serde_yaml::from_str(one).unwrap_or_else(|error| panic!("{error}: {one}")))
        .collect()
}

pub(crate) fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
pub(crate) fn fits(document: &Value, schema: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}
