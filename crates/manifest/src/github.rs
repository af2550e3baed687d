//! A GitHub workflow: check on every change, deploy by hand or from the main branch.

use crate::facts::Facts;

/// A workflow file.
pub fn github(facts: &Facts) -> String {
    let Facts { pipeline, environment, .. } = facts;
    let minutes = facts.deadline.as_secs().div_ceil(60);
    let image = &facts.image;
    let variables: String = facts
        .deploy_variables()
        .map(|name| format!("          {name}: ${{{{ secrets.{name} }}}}\n"))
        .collect();
    let env = if variables.is_empty() { String::new() } else { format!("        env:\n{variables}") };
    let passed: String = facts.deploy_variables().map(|name| format!(" -e {name}")).collect();
    format!(
        "# {pipeline}: every change is checked, the main branch is deployed to {environment}.
name: deploy {environment}
on:
  push: {{ branches: [main] }}
  pull_request:
  workflow_dispatch:
permissions: {{ contents: read }}

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t {image}:${{{{ github.sha }}}} .
      # Needs no database and no secret.
      - run: docker run --rm --read-only {image}:${{{{ github.sha }}}} check

  deploy:
    needs: check
    if: github.ref == 'refs/heads/main' && github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    # Who may deploy, and its secrets, are settings of this environment.
    environment: {environment}
    # One at a time, and none is cancelled in the middle: the lock in the database refuses a second one anyway.
    concurrency: {{ group: deploy-{environment}, cancel-in-progress: false }}
    # The budgets of pipeline.yaml together.
    timeout-minutes: {minutes}
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t {image}:${{{{ github.sha }}}} .
      - name: deploy
{env}        run: >-
          docker run --rm --read-only{passed} -e GITHUB_ACTOR
          {image}:${{{{ github.sha }}}} deploy --env {environment}
"
    )
}
