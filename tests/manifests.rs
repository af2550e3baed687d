//! What `manifest` prints is read by whoever it is for, and gives a deploy what it needs and nothing else.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Project, database, root};

/// The YAML of docs/rollouts.md.
fn rollouts() -> String {
    let page = std::fs::read_to_string(root().join("docs/rollouts.md")).expect("docs/rollouts.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    yaml.expect("an example").to_owned()
}

fn schema(name: &str, kind: Option<&str>) -> Value {
    let path = root().join("crates/manifest/tests/schemas").join(name);
    let text = std::fs::read_to_string(path).expect("a schema");
    let mut schema: Value = serde_json::from_str(&text).expect("JSON");
    if let Some(kind) = kind {
        schema["$ref"] = format!("#/$defs/{kind}").into();
    }
    schema
}

/// The documents of each kind that an environment's manifests have, parsed and held against their schemas.
fn manifests(project: &Project, environment: &str, more: &[&str]) -> Vec<Value> {
    let (job, deployment) = ("io.k8s.api.batch.v1.Job", "io.k8s.api.apps.v1.Deployment");
    let kinds = [
        ("k8s", vec![schema("kubernetes.json", Some(job)), schema("kubernetes.json", Some(deployment))]),
        ("compose", vec![schema("compose.json", None)]),
        ("github", vec![schema("github-workflow.json", None)]),
        ("gitlab", vec![schema("gitlab-ci.json", None)]),
    ];
    let mut all = Vec::new();
    for (of, schemas) in kinds {
        let printed = print(project, of, environment, more);
        let documents: Vec<&str> = printed.split("\n---\n").collect();
        assert_eq!(documents.len(), schemas.len());
        for (text, schema) in documents.into_iter().zip(schemas) {
            let document: Value =
                serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            let errors: Vec<String> =
                validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:#?}\n{text}");
            all.push(document);
        }
    }
    all
}

fn print(project: &Project, of: &str, environment: &str, more: &[&str]) -> String {
    project.pgdeploy(&[&["manifest", of, "--env", environment], more].concat()).exits(0).stdout
}

/// What the image of the Dockerfile holds below /release, as a folder.
fn image(project: &Project, dockerfile: &str) -> Project {
    let image = Project::at(&project.url);
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let (from, to) = line.split_once(' ').expect("two words");
        let Some(to) = to.strip_prefix("/release/") else { continue };
        copy(&project.path().join(from), &image.path().join(to));
    }
    image
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
    if !from.is_dir() {
        std::fs::copy(from, to).expect("a copy");
        return;
    }
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn the_manifests_of_the_page_on_rollouts_are_valid_and_ask_for_what_is_needed_alone() {
    let project = Project::new().file("pipeline.yaml", &rollouts());
    let project = project.file("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    for document in manifests(&project, "production", &[]) {
        let text = document.to_string();
        assert!(!text.contains("STAGING_DATABASE_URL") && !text.contains("SECRETS"), "{text}");
        assert!(text.contains("/run/secrets/production_url"), "{text}");
        assert!(text.contains("/release/receipts/staging.json") || text.contains("Deployment"), "{text}");
    }
    let dockerfile = print(&project, "dockerfile", "production", &[]);
    for path in ["/run/secrets/production_url", "/release/receipts/staging.json"] {
        assert!(dockerfile.contains(&format!("# To be mounted: {path} (")), "{dockerfile}");
    }
    // Staging asks dev, and signs its receipt; whoever waits for it does neither.
    let [job, deployment, compose, workflow, pipeline] =
        &manifests(&project, "staging", &[]).try_into().expect("five documents");
    for deploys in [job, compose, workflow, pipeline] {
        let text = deploys.to_string();
        assert!(text.contains("STAGING_RECEIPT_KEY") && text.contains("DEV_DATABASE_URL"), "{text}");
        assert!(text.contains("/release/receipts"), "{text}");
    }
    let text = deployment.to_string();
    assert!(text.contains("STAGING_DATABASE_URL"), "{text}");
    assert!(!text.contains("STAGING_RECEIPT_KEY") && !text.contains("DEV_DATABASE_URL"), "{text}");
}

#[test]
fn names_words_and_paths_of_any_pipeline_stay_what_they_are() {
    let project = Project::new()
        .file(
            "a pipeline.yml",
            "version: 1
name: shop_
environments:
  no: { database: { url_file: production_url }, receipt: { write: \"out: #1/no.json\", sign_key_file: \"${KEYS}/key\" } }
  prod_eu:
    database: \"postgres://u:${NO}@h/d?application_name=${Y:-a}\"
    after: [no]
    stages: { schema: { path: \"${FOLDER:-migrations}\" } }
    verify: [ { name: up, run: [curl, \"${ON:-x}\", ./scripts/check.sh] } ]
",
        )
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int);")
        .file("scripts/check.sh", "exit 0");
    let project = project.variable("PGDEPLOY_CONFIG", "a pipeline.yml");
    // What is mounted where has to be known: there is no default for it.
    let refused = project.pgdeploy(&["manifest", "k8s", "--env", "no"]).exits(2).says("E269").says("`KEYS`");
    assert!(refused.stderr.contains("a pipeline.yml:4:"), "{}", refused.stderr);
    let project = project.variable("KEYS", "/keys: \"1\"");
    let more = ["--application", "weird \"app\": x"];
    let of_no = manifests(&project, "no", &more);
    let container = &of_no[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], serde_json::json!(["deploy", "--env", "no"]));
    assert_eq!(container["env"], serde_json::json!([{ "name": "KEYS", "value": "/keys: \"1\"" }]));
    let mounts =
        container["volumeMounts"].as_array().expect("mounts").iter().map(|mount| &mount["mountPath"]);
    let mounts: Vec<&str> = mounts.filter_map(Value::as_str).collect();
    assert_eq!(mounts, ["/release/out: #1", "/release/production_url", "/keys: \"1\"/key"]);
    assert_eq!(of_no[1]["spec"]["template"]["spec"]["containers"][0]["image"], more[1]);
    assert_eq!(of_no[2]["services"]["web"]["image"], more[1]);
    let of_eu = manifests(&project, "prod_eu", &more);
    let names = [&of_no[0]["metadata"], &of_eu[0]["metadata"], &of_no[1]["metadata"], &of_eu[1]["metadata"]];
    let names: std::collections::BTreeSet<&str> =
        names.iter().filter_map(|metadata| metadata["name"].as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for metadata in [&of_no[0]["metadata"], &of_eu[0]["metadata"]] {
        assert_eq!(metadata["labels"]["app.kubernetes.io/part-of"], "shop");
    }
    assert!(of_eu[2]["services"]["deploy"]["image"].as_str().expect("an image").starts_with("shop-release:"));
    // A variable with a default may be set, and the one of a path may not: what is copied depends on it.
    let environment = &of_eu[2]["services"]["deploy"]["environment"];
    let keys: Vec<&str> = environment.as_object().expect("variables").keys().map(String::as_str).collect();
    assert_eq!(keys, ["NO", "ON", "Y"], "the key that signs the receipt of `no` is no matter here");
    assert_eq!((&environment["NO"], &environment["Y"]), (&"${NO:?}".into(), &"${Y:-}".into()));
    let dockerfile = print(&project, "dockerfile", "prod_eu", &[]);
    for line in [
        "COPY [\"a pipeline.yml\", \"/release/a pipeline.yml\"]",
        "COPY migrations /release/migrations",
        "COPY scripts/check.sh /release/scripts/check.sh",
        "ENV PGDEPLOY_CONFIG=\"a pipeline.yml\"",
    ] {
        assert!(dockerfile.lines().any(|one| one == line), "{line}\n{dockerfile}");
    }
    assert!(dockerfile.contains("not in an image from scratch: curl (verify)."), "{dockerfile}");
}

#[test]
fn what_the_image_holds_and_what_is_mounted_is_all_that_a_deploy_reads() {
    let project = Project::new();
    let keys = project.pgdeploy(&["receipt", "keys", "--format", "json"]).exits(0).json();
    let key = |name: &str| keys[name].as_str().expect("a key").to_owned();
    let text = "version: 1
name: shop
environments:
  staging: { database: \"${STAGING_URL}\", receipt: { write: out/staging.json, sign_key: \"${SIGN_KEY}\" } }
  production:
    database: { url_file: \"${SECRETS:-secrets}/production_url\" }
    after: [staging]
    receipts: { from: [out/staging.json], public_key: \"${PUBLIC_KEY}\" }
    stages: { schema: { path: \"${FOLDER:-sql}\", when_empty: snapshot } }
    hooks: { before_deploy: [ { name: hello, run: [./scripts/hello, scripts/words] } ] }
stages: { schema: { path: sql } }
";
    let project = project
        .file("pipeline.yaml", text)
        .file("sql/0001_a.sql", "CREATE TABLE a (id int);")
        .file("indexes/a.sql", "CREATE INDEX a_id_idx ON a (id);")
        .file("scripts/hello", "#!/bin/sh\nexec cat \"$1\"\n")
        .file("scripts/words", "hello")
        .variable("SIGN_KEY", &key("sign_key"))
        .variable("PUBLIC_KEY", &key("public_key"))
        .variable("STAGING_URL", &database());
    let hello = project.path().join("scripts/hello");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(hello, mode).expect("a mode");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    project.pgdeploy(&["snapshot"]).exits(0);
    let dockerfile = print(&project, "dockerfile", "production", &[]);
    let image = image(&project, &dockerfile).variable("PUBLIC_KEY", &key("public_key"));
    let mounted: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("# To be mounted: /release/")?.split(' ').next())
        .collect();
    assert_eq!(mounted, ["secrets/production_url", "out/staging.json"]);
    image.write(mounted[0], project.url.as_bytes());
    image.pgdeploy(&["deploy", "--env", "production"]).exits(4).says("E404");
    copy(&project.path().join(mounted[1]), &image.path().join(mounted[1]));
    image.pgdeploy(&["deploy", "--env", "production"]).exits(0);
    assert!(image.client().is("EXISTS (SELECT FROM pg_indexes WHERE indexname = 'a_id_idx')"));
}
