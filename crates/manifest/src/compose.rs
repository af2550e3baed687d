//! Compose: the deploy, the backfills beside it, the application behind it.

use crate::facts::{Facts, Role, USER, Value, inside};
use crate::quote::{comment, list, without_variables as quoted, yaml};

/// A compose file. The services that are ours differ from each other in their command and in what they need.
pub fn compose(facts: &Facts) -> String {
    let Facts { pipeline, environment, .. } = facts;
    let (name, image, env) = (facts.instance(), quoted(&facts.tagged()), yaml(environment));
    let (deploying, filling) = (ours(facts, Role::Deploy), ours(facts, Role::Other));
    let backfill = if facts.has_backfills {
        format!(
            "
  # What a deploy leaves of the backfills when its budget is over goes on here, beside the application. Any number of these
  # may run at once (docker compose up --scale backfill=3): each row is done once.
  backfill:
    image: {image}
    command: [wait, --until, schema, --, pgdeploy, backfill, run, --env, {env}]
    restart: on-failure
    stop_grace_period: 30s
{filling}"
        )
    } else {
        String::new()
    };
    let application = quoted(&facts.application);
    let mut text = format!(
        "# {pipeline} at {environment}, release {}
name: {name}

services:
  # Runs once and ends. A deploy that was interrupted goes on where it was when it is started again.
  deploy:
    image: {image}
    command: [deploy, --env, {env}]
    restart: on-failure:5
    # A signal is answered within 6 s.
    stop_grace_period: 30s
{deploying}{backfill}
  # The application starts when the deploy has ended with 0, and not at all if it has failed.
  web:
    image: {application}
    depends_on:
      deploy:
        condition: service_completed_successfully
    restart: unless-stopped
",
        facts.short()
    );
    if !facts.secrets.is_empty() {
        text.push_str("\nsecrets:\n");
    }
    for one in &facts.secrets {
        text.push_str(&format!(
            "  {key}:\n    # {what} and nothing else, readable by the user {USER}; in the container it is {path}.\n    file: ./secrets/{key}\n",
            key = one.key,
            what = comment(&one.what),
            path = comment(&inside(&one.path)),
        ));
    }
    text
}

fn ours(facts: &Facts, role: Role) -> String {
    let mut text = format!(
        "    user: \"{USER}:{USER}\"
    read_only: true
    cap_drop: [ALL]
    security_opt: [\"no-new-privileges:true\"]
"
    );
    // Secrets are taken from the shell or from .env, and never written here.
    let set = facts.variables(role).map(|one| {
        let name = &one.name;
        let value = match &one.value {
            Value::Demanded => format!("\"${{{name}:?}}\""),
            Value::Optional => format!("\"${{{name}:-}}\""),
            Value::Decided(value) => quoted(value),
        };
        format!("      {}: {value}\n", yaml(name))
    });
    list(&mut text, "    environment", set);
    let secrets = facts
        .secrets(role)
        .map(|one| format!("      - {{ source: {}, target: {} }}\n", one.key, quoted(&inside(&one.path))));
    list(&mut text, "    secrets", secrets);
    let read = facts.receipts(role).map(|path| bind(path, true));
    let written = facts.written(role).map(|folder| bind(folder, false));
    list(&mut text, "    volumes", read.chain(written));
    text
}

/// A file or a folder beside the compose file, where it is in the container.
fn bind(path: &str, read_only: bool) -> String {
    let source = if path.starts_with(['/', '.']) { path.to_owned() } else { format!("./{path}") };
    let (source, target) = (quoted(&source), quoted(&inside(path)));
    format!(
        "      - {{ type: bind, source: {source}, target: {target}, read_only: {read_only}, bind: {{ create_host_path: false }} }}\n"
    )
}
