//! Kubernetes: a Job for the release, and a Deployment whose pods wait for it.

use crate::exit_codes::{FINAL, TRY_AGAIN, listed};
use crate::facts::{Facts, USER};

/// A Job and a Deployment, as one text of two documents.
pub fn kubernetes(facts: &Facts) -> String {
    format!("{}---\n{}", job(facts), deployment(facts))
}

fn job(facts: &Facts) -> String {
    let Facts { pipeline, environment, release, .. } = facts;
    let (name, image) = (facts.label(&format!("deploy-{}", facts.short())), facts.tagged());
    let deadline = facts.deadline.as_secs();
    let (container, volumes) =
        (container(facts, facts.deploy_variables(), "database"), volumes(facts, "database"));
    let (finals, again) = (listed(&FINAL), listed(&TRY_AGAIN));
    format!(
        "# The deploy of a release of {pipeline} to {environment}. The Job's name carries the release's hash: applying the same release
# again changes nothing, and another release is another Job. The secret {}
# holds the variables that the environment refers to, for a role that owns what is deployed.
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  labels: {{ app.kubernetes.io/name: pgdeploy, app.kubernetes.io/part-of: {pipeline} }}
  annotations: {{ pgdeploy/release: \"{release}\" }}
spec:
  # The budgets of pipeline.yaml together: connect.wait, lock.wait, the schema stage, index and backfill budgets, services,
  # hooks and verify, and 5 minutes. At its end the pod gets SIGTERM, ends cleanly, and the next Job goes on.
  activeDeadlineSeconds: {deadline}
  backoffLimit: 6
  ttlSecondsAfterFinished: 604800
  podFailurePolicy:
    rules:
      # An eviction or a drained node is not the release's fault: the next pod goes on where this one was.
      - action: Ignore
        onPodConditions: [ {{ type: DisruptionTarget, status: \"True\" }} ]
      # The same release fails again: a migration, the files, a gate, the guard, a service, a right.
      - action: FailJob
        onExitCodes: {{ containerName: pgdeploy, operator: In, values: [{finals}] }}
      # Another deploy, a lock, the database away for a while, a signal: with growing pauses, backoffLimit times.
      - action: Count
        onExitCodes: {{ containerName: pgdeploy, operator: In, values: [{again}] }}
  template:
    metadata:
      labels: {{ app.kubernetes.io/name: pgdeploy, app.kubernetes.io/part-of: {pipeline} }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 30
      securityContext: {{ runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}, seccompProfile: {{ type: RuntimeDefault }} }}
      containers:
        - name: pgdeploy
          image: {image}
          args: [deploy, --env, {environment}]
{container}{volumes}",
        secret(facts, "database"),
    )
}

fn deployment(facts: &Facts) -> String {
    let Facts { pipeline, environment, application, .. } = facts;
    let (name, image, short) = (facts.label("web"), facts.tagged(), facts.short());
    let (container, volumes) =
        (container(facts, facts.variables.iter(), "database-reader"), volumes(facts, "database-reader"));
    format!(
        "# What an application behind the deploy looks like; its initContainers entry is what to take over. The secret
# {} holds a role that may read the ledger and nothing else:
#   GRANT USAGE ON SCHEMA pgdeploy TO web; GRANT SELECT ON ALL TABLES IN SCHEMA pgdeploy TO web;
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{ app.kubernetes.io/name: web, app.kubernetes.io/part-of: {pipeline} }}
spec:
  replicas: 2
  selector:
    matchLabels: {{ app.kubernetes.io/name: web, app.kubernetes.io/part-of: {pipeline} }}
  template:
    metadata:
      labels: {{ app.kubernetes.io/name: web, app.kubernetes.io/part-of: {pipeline} }}
    spec:
      initContainers:
        # Ends when release {short} is in; fails with the text of the failed deploy, and is started again.
        - name: release
          image: {image}
          args: [wait, --for-release, \"{short}\", --env, {environment}]
          securityContext: {{ runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{ drop: [ALL] }} }}
          resources: {{ requests: {{ cpu: 10m, memory: 32Mi }}, limits: {{ memory: 128Mi }} }}
{}      containers:
        - name: web
          image: {application}
{volumes}",
        secret(facts, "database-reader"),
        without_settings(&container),
    )
}

/// What a container of ours has, below its name, image and arguments.
fn container<'f>(facts: &Facts, names: impl Iterator<Item = &'f String>, secret_name: &str) -> String {
    let pad = " ".repeat(10);
    let mut text = format!(
        "{pad}terminationMessagePolicy: FallbackToLogsOnError
{pad}securityContext: {{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{ drop: [ALL] }} }}
{pad}resources: {{ requests: {{ cpu: 100m, memory: 64Mi }}, limits: {{ memory: 512Mi }} }}
"
    );
    let secret = secret(facts, secret_name);
    let entry = |name| {
        format!(
            "{pad}  - {{ name: {name}, valueFrom: {{ secretKeyRef: {{ name: {secret}, key: {name} }} }} }}\n"
        )
    };
    let set: String = names.map(entry).collect();
    if !set.is_empty() {
        text.push_str(&format!("{pad}env:\n{set}"));
    }
    if let Some(folder) = facts.url_file.as_deref().and_then(folder) {
        text.push_str(&format!(
            "{pad}volumeMounts: [ {{ name: database, mountPath: {folder}, readOnly: true }} ]\n"
        ));
    }
    text
}

/// Without the lines that an init container says in its own way.
fn without_settings(container: &str) -> String {
    let said = ["terminationMessagePolicy", "securityContext", "resources"];
    let kept = container.lines().filter(|line| !said.iter().any(|key| line.trim_start().starts_with(key)));
    kept.map(|line| format!("{line}\n")).collect()
}

fn volumes(facts: &Facts, secret_name: &str) -> String {
    let Some(file) = &facts.url_file else { return String::new() };
    let (pad, secret) = (" ".repeat(6), secret(facts, secret_name));
    let name = file.rsplit('/').next().unwrap_or(file);
    format!(
        "{pad}volumes:\n{pad}  - {{ name: database, secret: {{ secretName: {secret}, items: [ {{ key: url, path: {name} }} ] }} }}\n"
    )
}

fn secret(facts: &Facts, name: &str) -> String {
    facts.label(&format!("{}-{name}", facts.environment.replace('_', "-")))
}

fn folder(file: &str) -> Option<&str> {
    file.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty())
}
