//! A GitLab pipeline: check on every change, deploy from the default branch.

use crate::exit_codes::TRY_AGAIN;
use crate::facts::Facts;

/// A `.gitlab-ci.yml`.
pub fn gitlab(facts: &Facts) -> String {
    let Facts { pipeline, environment, image, .. } = facts;
    let minutes = facts.deadline.as_secs().div_ceil(60);
    // GitLab's own reasons to retry cannot be combined with exit codes of a signal, which are its cancel button.
    let again: Vec<String> = TRY_AGAIN.iter().filter(|code| **code < 128).map(u8::to_string).collect();
    let again = again.join(", ");
    let names: Vec<&str> = facts.deploy_variables().map(String::as_str).collect();
    let variables = match names.as_slice() {
        [] => String::new(),
        names => format!(
            "  # {} {} to be masked, protected CI variables of the environment {environment}.\n",
            names.join(", "),
            if names.len() == 1 { "has" } else { "have" }
        ),
    };
    format!(
        "# {pipeline}: every change is checked, the default branch is deployed to {environment}.
stages: [build, check, deploy]

build:
  stage: build
  image: docker:28
  services: [\"docker:28-dind\"]
  script:
    - docker login -u \"$CI_REGISTRY_USER\" -p \"$CI_REGISTRY_PASSWORD\" \"$CI_REGISTRY\"
    - docker build -t \"$CI_REGISTRY_IMAGE/{image}:$CI_COMMIT_SHA\" .
    - docker push \"$CI_REGISTRY_IMAGE/{image}:$CI_COMMIT_SHA\"

.release:
  image: docker:28
  services: [\"docker:28-dind\"]
  before_script:
    - docker login -u \"$CI_REGISTRY_USER\" -p \"$CI_REGISTRY_PASSWORD\" \"$CI_REGISTRY\"

check:
  stage: check
  extends: .release
  script:
    - docker run --rm --read-only \"$CI_REGISTRY_IMAGE/{image}:$CI_COMMIT_SHA\" check

deploy:
  stage: deploy
  extends: .release
{variables}  environment: {{ name: {environment} }}
  # One at a time, and none is ended in the middle.
  resource_group: {environment}
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
    - docker run --rm --read-only{} -e GITLAB_USER_LOGIN \"$CI_REGISTRY_IMAGE/{image}:$CI_COMMIT_SHA\" deploy --env {environment}
",
        facts.deploy_variables().map(|name| format!(" -e {name}")).collect::<String>(),
    )
}
