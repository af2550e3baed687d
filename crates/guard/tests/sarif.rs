//! What `guard --report sarif` prints is SARIF 2.1.0, by its own schema.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use pgdeploy_guard::{Judge, Knowledge, Source, report};

#[test]
fn the_report_on_every_file_of_the_corpus_fits_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let schema = std::fs::read_to_string(root.join("fixtures/sarif-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut judge = Judge::new(Knowledge::default());
    let mut findings = Vec::new();
    for kind in ["safe", "unsafe"] {
        for entry in std::fs::read_dir(root.join("corpus").join(kind)).unwrap() {
            let path = entry.unwrap().path();
            // A name that a URI has to escape.
            let name = PathBuf::from(format!("m é/{}", path.file_name().unwrap().to_string_lossy()));
            let source = Source::from_bytes(&name, std::fs::read(path).unwrap()).unwrap();
            findings.extend(judge.migration(&source));
        }
    }
    for text in ["", "select", "-- pgdeploy:allow nonsense: x\nselect 1", "alter tabel é"] {
        let source = Source::from_bytes(Path::new("1.sql"), text.into()).unwrap();
        findings.extend(judge.migration(&source));
    }
    assert!(findings.len() > 100);
    for of in [findings.as_slice(), &[]] {
        let sarif = report::sarif(of);
        let wrong: Vec<String> = validator
            .iter_errors(&sarif)
            .map(|error| format!("{} at {}", error, error.instance_path))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
