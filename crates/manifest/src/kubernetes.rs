//! Kubernetes: a Job for the release, and a Deployment whose pods wait for it.

use crate::exit_codes::{FINAL, TRY_AGAIN, listed};
use crate::facts::{Facts, Role, USER, Value, inside};
use crate::quote::{comment, list, without_references, yaml};

/// A Job and a Deployment, as one text of two documents.
pub fn kubernetes(facts: &Facts) -> String {
    format!("{}---\n{}", job(facts), deployment(facts))
}

fn job(facts: &Facts) -> String {
    let Facts { pipeline, environment, release, .. } = facts;
    let (name, image) = (facts.label(&format!("-deploy-{}", facts.short())), yaml(&facts.tagged()));
    let deadline = facts.deadline.as_secs();
    let (needs, supplied, volumes) =
        (needs(facts, Role::Deploy), supplied(facts, Role::Deploy), volumes(facts, Role::Deploy));
    let (finals, again, labels) = (listed(&FINAL), listed(&TRY_AGAIN), labels(facts, "pgdeploy"));
    // A volume that is written belongs to whoever writes.
    let group =
        if facts.written(Role::Deploy).is_some() { format!(", fsGroup: {USER}") } else { String::new() };
    let env = yaml(environment);
    format!(
        "# The deploy of a release of {pipeline} to {environment}. The Job's name carries the release's hash: applying the same release
# again changes nothing, and another release is another Job. Its role owns what is deployed.
{needs}apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  labels: {labels}
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
      labels: {labels}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 30
      securityContext: {{ runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}{group}, seccompProfile: {{ type: RuntimeDefault }} }}
      containers:
        - name: pgdeploy
          image: {image}
          args: [deploy, --env, {env}]
          terminationMessagePolicy: FallbackToLogsOnError
          securityContext: {{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{ drop: [ALL] }} }}
          resources: {{ requests: {{ cpu: 100m, memory: 64Mi }}, limits: {{ memory: 512Mi }} }}
{supplied}{volumes}"
    )
}

fn deployment(facts: &Facts) -> String {
    let (name, image, short) = (facts.label("-web"), yaml(&facts.tagged()), facts.short());
    let (needs, supplied, volumes) =
        (needs(facts, Role::Other), supplied(facts, Role::Other), volumes(facts, Role::Other));
    let (labels, application, env) =
        (labels(facts, "web"), yaml(&facts.application), yaml(&facts.environment));
    format!(
        "# What an application behind the deploy looks like; its initContainers entry is what to take over. Its role may read the
# ledger and nothing else:
#   GRANT USAGE ON SCHEMA pgdeploy TO web; GRANT SELECT ON ALL TABLES IN SCHEMA pgdeploy TO web;
{needs}apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {labels}
spec:
  replicas: 2
  selector:
    matchLabels: {labels}
  template:
    metadata:
      labels: {labels}
    spec:
      initContainers:
        # Ends when release {short} is in; fails with the text of the failed deploy, and is started again.
        - name: release
          image: {image}
          args: [wait, --for-release, \"{short}\", --env, {env}]
          securityContext: {{ runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{ drop: [ALL] }} }}
          resources: {{ requests: {{ cpu: 10m, memory: 32Mi }}, limits: {{ memory: 128Mi }} }}
{supplied}      containers:
        - name: web
          image: {application}
{volumes}"
    )
}

fn labels(facts: &Facts, name: &str) -> String {
    let (instance, part_of) = (yaml(&facts.instance()), yaml(facts.part_of()));
    format!(
        "{{ app.kubernetes.io/name: {name}, app.kubernetes.io/instance: {instance}, app.kubernetes.io/part-of: {part_of} }}"
    )
}

/// What has to be there before, as comments.
fn needs(facts: &Facts, role: Role) -> String {
    let secret = secret(facts, role);
    let mut text = String::new();
    for one in facts.variables(role) {
        match one.value {
            Value::Demanded => text.push_str(&format!("#   {secret} has the key {}\n", one.name)),
            Value::Optional => text.push_str(&format!("#   {secret} may have the key {}\n", one.name)),
            Value::Decided(_) => {}
        }
    }
    for one in facts.secrets(role) {
        let (what, path) = (comment(&one.what), comment(&inside(&one.path)));
        text.push_str(&format!("#   {secret} has the key {}: {what}, read as {path}\n", one.key));
    }
    if !text.is_empty() {
        text.insert_str(0, "# The secret:\n");
    }
    for path in facts.receipts(role) {
        text.push_str(&format!(
            "# The receipt: kubectl create configmap {} --from-file={}={}\n",
            facts.label("-receipts"),
            key(path),
            comment(path)
        ));
    }
    if facts.written(role).is_some() {
        text.push_str(&format!(
            "# The receipt of {} is written to the PersistentVolumeClaim {}.\n",
            facts.environment,
            facts.label("-receipts")
        ));
    }
    text
}

/// Variables and files of a container.
fn supplied(facts: &Facts, role: Role) -> String {
    let (pad, secret) = (" ".repeat(10), secret(facts, role));
    let mut text = String::new();
    let set = facts.variables(role).map(|one| {
        let name = yaml(&one.name);
        let from =
            |more: &str| format!("valueFrom: {{ secretKeyRef: {{ name: {secret}, key: {name}{more} }} }}");
        let value = match &one.value {
            Value::Demanded => from(""),
            Value::Optional => from(", optional: true"),
            Value::Decided(value) => format!("value: {}", without_references(value)),
        };
        format!("{pad}  - {{ name: {name}, {value} }}\n")
    });
    list(&mut text, &format!("{pad}env"), set);
    // Each file by itself, so that nothing beside it is hidden.
    let mount = |volume: &str, path: &str, key: &str| {
        let path = yaml(&inside(path));
        format!("{pad}  - {{ name: {volume}, mountPath: {path}, subPath: {}, readOnly: true }}\n", yaml(key))
    };
    let secrets = facts.secrets(role).map(|one| mount("secrets", &one.path, &one.key));
    let receipts = facts.receipts(role).map(|path| mount("receipts", path, &key(path)));
    let written = facts
        .written(role)
        .map(|folder| format!("{pad}  - {{ name: receipt, mountPath: {} }}\n", yaml(&inside(folder))));
    list(&mut text, &format!("{pad}volumeMounts"), written.into_iter().chain(secrets).chain(receipts));
    text
}

fn volumes(facts: &Facts, role: Role) -> String {
    let (pad, receipts) = (" ".repeat(6), facts.label("-receipts"));
    let mut entries = Vec::new();
    if facts.secrets(role).next().is_some() {
        let items: Vec<String> =
            facts.secrets(role).map(|one| format!("{{ key: {0}, path: {0} }}", yaml(&one.key))).collect();
        let (secret, items) = (secret(facts, role), items.join(", "));
        entries.push(format!("name: secrets, secret: {{ secretName: {secret}, items: [ {items} ] }}"));
    }
    if facts.receipts(role).next().is_some() {
        entries.push(format!("name: receipts, configMap: {{ name: {receipts} }}"));
    }
    if facts.written(role).is_some() {
        entries.push(format!("name: receipt, persistentVolumeClaim: {{ claimName: {receipts} }}"));
    }
    let mut text = String::new();
    let entries = entries.into_iter().map(|entry| format!("{pad}  - {{ {entry} }}\n"));
    list(&mut text, &format!("{pad}volumes"), entries);
    text
}

fn secret(facts: &Facts, role: Role) -> String {
    facts.label(match role {
        Role::Deploy => "-database",
        Role::Other => "-database-reader",
    })
}

/// The key of a file in a ConfigMap: its path, with what keys may hold.
fn key(path: &str) -> String {
    let fits = |one: char| if one.is_ascii_alphanumeric() || "_.-".contains(one) { one } else { '-' };
    path.chars().map(fits).collect::<String>().trim_start_matches(['.', '-']).to_owned()
}
