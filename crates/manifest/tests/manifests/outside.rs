//! Whatever comes from outside reaches whoever reads the manifest as it was written.

use std::collections::BTreeSet;
use std::process::Command;

use pgdeploy_manifest::{Facts, Value as Supplied, compose, dockerfile, github, gitlab, kubernetes};
use serde_json::{Value, json};

use crate::facts::{documents, every_kind_of_facts, facts, nasty_facts};

#[test]
fn two_environments_and_two_pipelines_in_one_namespace_are_four_deploys() {
    let names =
        [("my-shop", "staging"), ("my-shop", "prod_eu"), ("my-shop", "prod-eu"), ("my", "shop-staging")];
    let named = |(pipeline, environment): (&str, &str)| {
        let facts = Facts { pipeline: pipeline.into(), environment: environment.into(), ..facts() };
        let objects = documents(&kubernetes(&facts));
        let secret = &objects[0]["spec"]["template"]["spec"]["containers"][0]["env"][0]["valueFrom"];
        let compose = documents(&compose(&facts)).remove(0);
        [
            &objects[0]["metadata"]["name"],
            &objects[1]["metadata"]["name"],
            &objects[1]["spec"]["selector"],
            &secret["secretKeyRef"]["name"],
            &compose["name"],
        ]
        .map(ToString::to_string)
    };
    let all: BTreeSet<String> = names.into_iter().flat_map(named).collect();
    assert_eq!(all.len(), 20, "{all:#?}");
}

/// The value of a variable that the manifest decides.
fn decided(facts: &Facts) -> &str {
    let Supplied::Decided(value) = &facts.variables[2].value else { panic!("decided") };
    value
}

#[test]
fn a_value_reaches_every_container_as_it_was_written() {
    let facts = nasty_facts();
    let (nasty, application) = (decided(&facts), &facts.application);
    let path = format!("/{nasty}/a");
    let objects = documents(&kubernetes(&facts));
    let container = &objects[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["deploy", "--env", "no"]));
    assert_eq!(container["env"][2]["value"], nasty.replace("$(", "$$("));
    assert_eq!(container["env"][1]["valueFrom"]["secretKeyRef"]["optional"], true);
    assert!(container["volumeMounts"].as_array().unwrap().iter().any(|mount| mount["mountPath"] == path));
    let pod = &objects[1]["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], *application);
    assert_eq!(
        pod["initContainers"][0]["env"].as_array().unwrap().len(),
        3,
        "nothing of another environment"
    );
    assert_eq!(pod["initContainers"][0]["volumeMounts"].as_array().unwrap().len(), 1, "no key, no receipt");
    let file = documents(&compose(&facts)).remove(0);
    let doubled = |text: &str| text.replace('$', "$$");
    assert_eq!(file["services"]["web"]["image"], doubled(application));
    let deploy = &file["services"]["deploy"];
    assert_eq!(
        deploy["environment"],
        json!({ "NO": "${NO:?}", "on": "${on:-}", "y": doubled(nasty), "DATABASE_URL": "${DATABASE_URL:?}" })
    );
    assert_eq!(deploy["secrets"][0]["target"], doubled(&path));
    let workflow = documents(&github(&facts)).remove(0);
    let env = &workflow["jobs"]["deploy"]["steps"][2]["env"];
    assert_eq!((&env["NO"], &env["y"]), (&json!("${{ secrets.NO }}"), &json!(nasty)));
    // DATABASE_URL has another meaning here already.
    assert_eq!(env["DATABASE_URL_FILE"], "${{ secrets.DATABASE_URL_FILE }}");
    assert_eq!(documents(&gitlab(&facts))[0]["deploy"]["variables"]["y"], doubled(nasty));
}

/// The scripts of a document's jobs.
fn scripts(document: &Value) -> Vec<String> {
    let of = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("run", Value::String(script)) => vec![script.clone()],
        ("script" | "after_script" | "before_script", Value::Array(lines)) => {
            lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
        }
        _ => scripts(value),
    };
    match document {
        Value::Object(entries) => entries.iter().flat_map(of).collect(),
        Value::Array(entries) => entries.iter().flat_map(scripts).collect(),
        _ => Vec::new(),
    }
}

/// The words of a command line, as a shell takes it apart.
fn words(line: &str) -> Vec<String> {
    let text = format!("docker() {{ printf '%s\\0' \"$@\"; }}\nset -eu\n{line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &text]).current_dir("/").env("files", "/files");
    let ran = shell.output().unwrap();
    assert!(ran.status.success(), "{text}\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().split('\0').map(String::from).collect()
}

#[test]
fn a_shell_reads_the_scripts_of_both_ci_systems_as_they_are_meant() {
    for facts in every_kind_of_facts() {
        for document in [documents(&github(&facts)).remove(0), documents(&gitlab(&facts)).remove(0)] {
            let scripts = scripts(&document);
            assert!(scripts.len() >= 4, "{scripts:#?}");
            for script in scripts {
                let read = Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
                assert!(read.success(), "{script}");
            }
        }
    }
    let facts = nasty_facts();
    let workflow = documents(&github(&facts)).remove(0);
    let script = workflow["jobs"]["deploy"]["steps"][2]["run"].as_str().unwrap();
    assert!(script.contains("printf '%s' \"$DATABASE_URL_FILE\" > \"$files/database-url\""), "{script}");
    let line = script[script.find("docker run").unwrap()..].replace("${{ github.sha }}", "sha");
    let words = words(&line);
    let csv = decided(&facts).replace('"', "\"\"");
    for expected in [
        format!("type=bind,source=/files/database-url,\"target=/{csv}/a\",readonly"),
        "type=bind,source=//../b.json,target=/b.json,readonly".to_owned(),
        format!("type=bind,\"source=//{csv}\",\"target=/release/{csv}\""),
        format!("{}:sha", facts.image),
    ] {
        assert!(words.contains(&expected), "{expected}\n{words:#?}");
    }
}

#[test]
fn what_is_not_in_the_image_is_named_in_it_and_nothing_ends_a_comment() {
    let text = dockerfile(&nasty_facts());
    let copies: Vec<Vec<String>> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("COPY ")?).ok()).collect();
    assert_eq!(copies[1], ["[*].d", "/release/*.d"]);
    assert_eq!(copies[2], ["[[]a][?]", "/release/[a]?"]);
    assert!(copies[0][0].contains("\\$HOME") && copies[0][0].contains("[[]c]"), "{copies:?}");
    for part in [
        "# To be mounted: /b.json (a receipt",
        "# To be mounted: /release/url (the receipt-key).",
        "# Called, and not in an image from scratch: ",
        "\nENV PGDEPLOY_CONFIG=",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.lines().any(|line| line.starts_with("RUN")), "{text}");
    let beside = Facts { receipt: Some("a.json".into()), ..facts() };
    assert!(dockerfile(&beside).contains("# a.json cannot be written here"), "{}", dockerfile(&beside));
}
