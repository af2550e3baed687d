//! A GitHub workflow: check on every change, deploy by hand or from the main branch.

use crate::docker_run::{System, decided, indented};
use crate::facts::{Facts, Role, Value, inside};
use crate::quote::{comment, shell, without_expressions as quoted, yaml};

/// A workflow file.
pub fn github(facts: &Facts) -> String {
    let Facts { pipeline, environment, .. } = facts;
    let minutes = facts.deadline.as_secs().div_ceil(60);
    let image = format!("{}:${{{{ github.sha }}}}", shell(&facts.image));
    let system = System {
        checkout: "$PWD",
        secrets: "$files",
        image: &image,
        // The one who owns the files: nobody else may read them.
        options: " --user \"$(id -u):$(id -g)\"",
        actor: "GITHUB_ACTOR",
    };
    let mut script = String::new();
    if !facts.secrets.is_empty() {
        script.push_str("umask 077\nfiles=$(mktemp -d)\ntrap 'rm -rf \"$files\"' EXIT\n");
        script.push_str(&system.secret_files(facts));
    }
    if let Some(folder) = facts.written(Role::Deploy) {
        script.push_str(&format!("mkdir -p \"{}\"\n", system.host(folder)));
    }
    script.push_str(&system.deploy(facts));
    let build = indented(&format!("docker build -t {image} .\n"), 10);
    let check = indented(&format!("docker run --rm --read-only{} {image} check\n", decided(facts)), 10);
    let (script, env, notes, kept) = (indented(&script, 10), env(facts), notes(facts), kept(facts));
    let (name, group) =
        (yaml(&format!("deploy {environment}")), yaml(&format!("deploy-{}", facts.instance())));
    let environment = yaml(environment);
    format!(
        "# {pipeline}: every change is checked, the main branch is deployed to {}.
name: {name}
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
      - run: |
{build}      # Needs no database and no secret.
      - run: |
{check}
  deploy:
    needs: check
    if: github.ref == 'refs/heads/main' && github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    # Who may deploy, and its secrets, are settings of this environment.
    environment: {environment}
    # One at a time, and none is cancelled in the middle: the lock in the database refuses a second one anyway.
    concurrency: {{ group: {group}, cancel-in-progress: false }}
    # The budgets of pipeline.yaml together.
    timeout-minutes: {minutes}
    steps:
      - uses: actions/checkout@v4
      - run: |
{build}{notes}      - name: deploy
{env}        run: |
{script}{kept}",
        facts.environment
    )
}

fn env(facts: &Facts) -> String {
    let secret = |name: &str| format!("          {}: ${{{{ secrets.{name} }}}}\n", yaml(name));
    let variables = facts.variables(Role::Deploy).map(|one| match &one.value {
        // An empty one is none: what is not set has its default.
        Value::Demanded | Value::Optional => secret(&one.name),
        Value::Decided(value) => format!("          {}: {}\n", yaml(&one.name), quoted(value)),
    });
    let files = facts.secrets.iter().map(|one| secret(&one.variable(facts)));
    let set: String = variables.chain(files).collect();
    if set.is_empty() { set } else { format!("        env:\n{set}") }
}

fn notes(facts: &Facts) -> String {
    let mut text = String::new();
    for one in &facts.secrets {
        let (name, what, path) = (one.variable(facts), comment(&one.what), comment(&inside(&one.path)));
        text.push_str(&format!("      # The secret {name} is {what}; the deploy reads it as {path}.\n"));
    }
    for path in &facts.receipts {
        text.push_str(&format!(
            "      # {} is committed, or put here by a step before this one.\n",
            comment(path)
        ));
    }
    text
}

/// The receipt, for the workflow of the next environment.
fn kept(facts: &Facts) -> String {
    let Some(path) = facts.receipt.as_ref().filter(|_| facts.written(Role::Deploy).is_some()) else {
        return String::new();
    };
    let name = yaml(&format!("receipt-{}", facts.instance()));
    format!(
        "      - uses: actions/upload-artifact@v4\n        with: {{ name: {name}, path: {} }}\n",
        quoted(path)
    )
}
