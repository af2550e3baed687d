//! A GitLab pipeline: check on every change, deploy from the default branch.

use crate::docker_run::{System, decided, indented};
use crate::exit_codes::TRY_AGAIN;
use crate::facts::{Facts, Role, USER, Value, inside};
use crate::quote::{comment, within_quotes, without_variables as quoted, yaml};

/// A `.gitlab-ci.yml`.
pub fn gitlab(facts: &Facts) -> String {
    let Facts { pipeline, environment, .. } = facts;
    let minutes = facts.deadline.as_secs().div_ceil(60);
    // GitLab's own reasons to retry cannot be combined with exit codes of a signal, which are its cancel button.
    let again: Vec<String> = TRY_AGAIN.iter().filter(|code| **code < 128).map(u8::to_string).collect();
    let again = again.join(", ");
    let image = format!("\"$CI_REGISTRY_IMAGE/{}:$CI_COMMIT_SHA\"", within_quotes(&facts.image));
    let system = System {
        // The daemon beside the job sees the checkout, and nothing else of it.
        checkout: "$CI_PROJECT_DIR",
        secrets: "$CI_PROJECT_DIR/.deploy-secrets",
        image: &image,
        options: "",
        actor: "GITLAB_USER_LOGIN",
    };
    let mut script = String::new();
    if !facts.secrets.is_empty() {
        let folder = system.secrets;
        script.push_str(&format!("mkdir -p -m 700 \"{folder}\"\n{}", system.secret_files(facts)));
        script.push_str(&format!("chown -R {USER}:{USER} \"{folder}\"\nchmod -R go= \"{folder}\"\n"));
    }
    if let Some(folder) = facts.written(Role::Deploy) {
        let folder = system.host(folder);
        script.push_str(&format!("mkdir -p \"{folder}\"\nchown {USER}:{USER} \"{folder}\"\n"));
    }
    script.push_str(&system.deploy(facts));
    let script = indented(&script, 6);
    let build = indented(&format!("docker build -t {image} .\ndocker push {image}\n"), 6);
    let check = indented(&format!("docker run --rm --read-only{} {image} check\n", decided(facts)), 6);
    let (notes, variables, ends) = (notes(facts), variables(facts), ends(facts, system.secrets));
    let (name, group) = (yaml(environment), yaml(&facts.instance()));
    format!(
        "# {pipeline}: every change is checked, the default branch is deployed to {environment}.
stages: [build, check, deploy]

build:
  stage: build
  image: docker:28
  services: [\"docker:28-dind\"]
  script:
    - docker login -u \"$CI_REGISTRY_USER\" -p \"$CI_REGISTRY_PASSWORD\" \"$CI_REGISTRY\"
    - |
{build}
.release:
  image: docker:28
  services: [\"docker:28-dind\"]
  before_script:
    - docker login -u \"$CI_REGISTRY_USER\" -p \"$CI_REGISTRY_PASSWORD\" \"$CI_REGISTRY\"

check:
  stage: check
  extends: .release
  script:
    - |
{check}
deploy:
  stage: deploy
  extends: .release
{notes}{variables}  environment: {{ name: {name} }}
  # One at a time, and none is ended in the middle.
  resource_group: {group}
  interruptible: false
  # The budgets of pipeline.yaml together.
  timeout: {minutes} minutes
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  # Another deploy, a lock, the database away for a while: worth another try. Everything else needs a person.
  retry:
    max: 2
    exit_codes: [{again}]
  script:
    - |
{script}{ends}"
    )
}

fn notes(facts: &Facts) -> String {
    let environment = &facts.environment;
    let mut text = String::new();
    for one in facts.variables(Role::Deploy) {
        let name = &one.name;
        match one.value {
            Value::Demanded => text.push_str(&format!(
                "  # {name}: a masked, protected CI variable of the environment {environment}.\n"
            )),
            Value::Optional => {
                text.push_str(&format!("  # {name}: the same, where its default does not fit.\n"));
            }
            Value::Decided(_) => {}
        }
    }
    for one in &facts.secrets {
        let (name, what, path) = (one.variable(facts), comment(&one.what), comment(&inside(&one.path)));
        text.push_str(&format!(
            "  # {name}: a masked, protected CI variable of the environment {environment} with {what}; the deploy reads it as {path}.\n"
        ));
    }
    for path in &facts.receipts {
        text.push_str(&format!(
            "  # {}: committed, or an artifact of a job before this one.\n",
            comment(path)
        ));
    }
    text
}

/// What the manifest itself decides.
fn variables(facts: &Facts) -> String {
    let set = facts.variables(Role::Deploy).filter_map(|one| match &one.value {
        Value::Decided(value) => Some(format!("    {}: {}\n", yaml(&one.name), quoted(value))),
        _ => None,
    });
    let set: String = set.collect();
    if set.is_empty() { set } else { format!("  variables:\n{set}") }
}

fn ends(facts: &Facts, secrets: &str) -> String {
    let mut text = String::new();
    if !facts.secrets.is_empty() {
        text.push_str(&format!("  after_script:\n    - rm -rf \"{secrets}\"\n"));
    }
    if let Some(path) = facts.receipt.as_ref().filter(|_| facts.written(Role::Deploy).is_some()) {
        text.push_str(&format!(
            "  # The receipt, for the environment after this one.\n  artifacts: {{ paths: [{}] }}\n",
            quoted(path)
        ));
    }
    text
}
