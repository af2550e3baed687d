//! Compose: the deploy, the backfills beside it, the application behind it.

use crate::facts::{Facts, USER};

/// A compose file. The services that are ours differ from each other in their command only.
pub fn compose(facts: &Facts) -> String {
    let Facts { pipeline, environment, .. } = facts;
    let image = facts.tagged();
    let ours = |names: &mut dyn Iterator<Item = &String>| ours(facts, names);
    let (deploying, filling) = (ours(&mut facts.deploy_variables()), ours(&mut facts.variables.iter()));
    let backfill = if facts.has_backfills {
        format!(
            "
  # What a deploy leaves of the backfills when its budget is over goes on here, beside the application. Any number of these
  # may run at once (docker compose up --scale backfill=3): each row is done once.
  backfill:
    image: {image}
    command: [wait, --until, schema, --, pgdeploy, backfill, run, --env, {environment}]
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
name: {pipeline}

services:
  # Runs once and ends. A deploy that was interrupted goes on where it was when it is started again.
  deploy:
    image: {image}
    command: [deploy, --env, {environment}]
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
    if let Some(file) = &facts.url_file {
        text.push_str(&format!(
            "\nsecrets:\n  database_url:\n    # The database's URL and nothing else; it appears in the container as {file}.\n    file: ./secrets/database_url\n"
        ));
    }
    text
}

fn ours(facts: &Facts, names: &mut dyn Iterator<Item = &String>) -> String {
    let mut text = format!(
        "    user: \"{USER}:{USER}\"
    read_only: true
    cap_drop: [ALL]
    security_opt: [\"no-new-privileges:true\"]
"
    );
    // Taken from the shell or from .env, and never written here.
    let set: String = names.map(|name| format!("      {name}: \"${{{name}:?}}\"\n")).collect();
    if !set.is_empty() {
        text.push_str(&format!("    environment:\n{set}"));
    }
    if let Some(file) = &facts.url_file {
        text.push_str(&format!("    secrets: [{{ source: database_url, target: {} }}]\n", quoted(file)));
    }
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
