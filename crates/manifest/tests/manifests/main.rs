//! Every manifest is parsed and held against the schema of whoever reads it.

#![allow(clippy::unwrap_used)]

mod facts;
mod outside;

use std::collections::BTreeSet;
use std::path::Path;

use pgdeploy_manifest::{
    DONE, FINAL, NOT_OF_A_DEPLOY, TRY_AGAIN, compose, dockerfile, github, gitlab, kubernetes,
};
use serde_json::json;

use crate::facts::{documents, every_kind_of_facts, facts, fits, other_facts, schema};

/// The schema of one kind of object.
fn kubernetes_schema(kind: &str) -> serde_json::Value {
    let mut schema = schema("kubernetes.json");
    schema["$ref"] = format!("#/$defs/{kind}").into();
    schema
}

fn fits_ends(name: &str, within: &str) -> bool {
    let fits = |one: char| one.is_ascii_alphanumeric();
    name.len() <= 63
        && name.chars().all(|one| fits(one) || within.contains(one))
        && name.starts_with(fits)
        && name.ends_with(fits)
}

#[test]
fn the_job_and_the_deployment_fit_kubernetes_schema_which_refuses_unknown_keys() {
    for facts in every_kind_of_facts() {
        let documents = documents(&kubernetes(&facts));
        let [job, deployment] = &documents[..] else { panic!("two documents") };
        fits(job, &kubernetes_schema("io.k8s.api.batch.v1.Job"));
        fits(deployment, &kubernetes_schema("io.k8s.api.apps.v1.Deployment"));
        for name in [&job["metadata"]["name"], &deployment["metadata"]["name"]] {
            let name = name.as_str().unwrap();
            assert!(fits_ends(name, "-") && *name == name.to_lowercase(), "{name}");
        }
        for label in job["metadata"]["labels"].as_object().unwrap().values() {
            assert!(fits_ends(label.as_str().unwrap(), "-_."), "{label}");
        }
    }
    let mut job = documents(&kubernetes(&facts())).remove(0);
    job["spec"]["podFailurePolice"] = json!({});
    let validator = jsonschema::validator_for(&kubernetes_schema("io.k8s.api.batch.v1.Job")).unwrap();
    assert!(!validator.is_valid(&job), "a typing error is found");
}

#[test]
fn the_job_is_named_by_the_release_ends_by_the_budgets_and_runs_as_nobody_on_a_read_only_root() {
    let job = documents(&kubernetes(&facts())).remove(0);
    assert_eq!(job["metadata"]["name"], "crm-production-deploy-4f1c09ab77e2");
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 9300);
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never", "what podFailurePolicy needs");
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["env"][0]["valueFrom"]["secretKeyRef"]["name"], "crm-production-database");
    assert_eq!(container["image"], "crm-release:4f1c09ab77e2");
}

#[test]
fn pod_failure_policy_knows_every_documented_exit_code_once() {
    let job = documents(&kubernetes(&facts())).remove(0);
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().unwrap();
    let mut named: Vec<u64> = Vec::new();
    for rule in rules.iter().filter(|rule| rule["onExitCodes"].is_object()) {
        assert_eq!(rule["onExitCodes"]["containerName"], "pgdeploy");
        named.extend(
            rule["onExitCodes"]["values"].as_array().unwrap().iter().map(|code| code.as_u64().unwrap()),
        );
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/exit-codes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let documented: BTreeSet<u64> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    let apart = |codes: &[u8]| codes.iter().map(|code| u64::from(*code)).collect::<BTreeSet<u64>>();
    let expected: BTreeSet<u64> = &(&documented - &apart(&DONE)) - &apart(&NOT_OF_A_DEPLOY);
    let known: BTreeSet<u64> = named.iter().copied().collect();
    assert_eq!(known.len(), named.len(), "none is named twice");
    assert_eq!(known, expected);
    assert_eq!(&apart(&FINAL) & &apart(&TRY_AGAIN), BTreeSet::new());
}

#[test]
fn the_compose_file_fits_the_specification_and_starts_the_application_behind_the_deploy() {
    for facts in every_kind_of_facts() {
        fits(&documents(&compose(&facts))[0], &schema("compose.json"));
    }
    let file = documents(&compose(&facts())).remove(0);
    let services = &file["services"];
    assert_eq!(services["web"]["depends_on"]["deploy"]["condition"], "service_completed_successfully");
    for ours in ["deploy", "backfill"] {
        assert_eq!(services[ours]["read_only"], true);
        assert_eq!(services[ours]["user"], "65532:65532");
        assert_eq!(services[ours]["environment"]["PRODUCTION_DATABASE_URL"], "${PRODUCTION_DATABASE_URL:?}");
    }
    assert_eq!(
        services["deploy"]["environment"].as_object().unwrap().len(),
        2,
        "the environment before is asked, too"
    );
    assert_eq!(services["backfill"]["environment"].as_object().unwrap().len(), 1);
    let file = documents(&compose(&other_facts())).remove(0);
    assert!(file["services"]["backfill"].is_null(), "nothing to fill");
    assert_eq!(file["services"]["deploy"]["secrets"][0]["target"], "/run/secrets/production_url");
}

#[test]
fn the_workflow_and_the_gitlab_pipeline_fit_their_schemas() {
    for facts in every_kind_of_facts() {
        fits(&documents(&github(&facts))[0], &schema("github-workflow.json"));
        fits(&documents(&gitlab(&facts))[0], &schema("gitlab-ci.json"));
    }
    let workflow = documents(&github(&facts())).remove(0);
    assert_eq!(workflow["jobs"]["deploy"]["timeout-minutes"], 155);
    assert_eq!(workflow["jobs"]["deploy"]["concurrency"]["cancel-in-progress"], false);
    let pipeline = documents(&gitlab(&facts())).remove(0);
    assert_eq!(pipeline["deploy"]["retry"]["exit_codes"], json!([69, 74, 75]));
}

/// What of the Dockerfile format is used: instructions, one a line, from the set that the format has.
#[test]
fn the_dockerfile_ends_in_an_image_of_nothing_but_the_binary_and_the_release() {
    let text = dockerfile(&facts());
    let instructions: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    for (instruction, _) in &instructions {
        assert!(
            ["ARG", "FROM", "COPY", "WORKDIR", "ENV", "USER", "ENTRYPOINT", "CMD"].contains(instruction),
            "{instruction}"
        );
    }
    let last = instructions.iter().rposition(|(instruction, _)| *instruction == "FROM").unwrap();
    assert_eq!(instructions[last].1, "scratch");
    assert!(instructions.contains(&("USER", "65532:65532")));
    for (name, value) in instructions.iter().filter(|(name, _)| ["ENTRYPOINT", "CMD"].contains(name)) {
        let list: Vec<String> = serde_json::from_str(value).unwrap();
        assert!(!list.is_empty(), "{name} without a shell");
    }
    for file in [
        "pipeline.yaml /release/pipeline.yaml",
        "migrations /release/migrations",
        "backfills /release/backfills",
    ] {
        assert!(instructions.contains(&("COPY", file)), "{file}");
    }
}
