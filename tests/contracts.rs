//! What programs rely on: formats with their schemas, exit codes, the help.

use std::collections::BTreeSet;

use crate::harness::{Project, root};

fn release() -> Project {
    Project::new()
        .file(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a VALUES (1), (2);",
        )
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;")
}

fn committed(path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(root().join(path)).expect("a committed file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_committed_schemas_are_current() {
    let project = Project::new();
    for (of, path) in [("pipeline", "pipeline.schema.json"), ("jsonl", "docs/jsonl.schema.json")] {
        let printed = project.pgdeploy(&["schema", of]).exits(0).json();
        assert!(printed == committed(path), "refresh it: cargo run -- schema {of} > {path}");
    }
    let printed = project.pgdeploy(&["schema", "reference"]).exits(0).stdout;
    let page = std::fs::read_to_string(root().join("docs/pipeline-keys.md")).expect("docs/pipeline-keys.md");
    assert_eq!(printed, page, "refresh it: cargo run -- schema reference > docs/pipeline-keys.md");
}

#[test]
fn every_line_of_jsonl_fits_the_committed_schema_and_seq_has_no_gaps() {
    let validator = jsonschema::validator_for(&committed("docs/jsonl.schema.json")).expect("a schema");
    let project = release();
    let failing = release().file("migrations/0002_x.sql", "ALTER TABLE nowhere ADD a int;");
    for outcome in [
        project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0),
        failing.pgdeploy(&["deploy", "--format", "jsonl"]).exits(1),
    ] {
        let events = outcome.events();
        for (place, event) in events.iter().enumerate() {
            assert!(
                validator.is_valid(event),
                "{event}: {:?}",
                validator.iter_errors(event).map(|error| error.to_string()).collect::<Vec<_>>()
            );
            assert_eq!(event["seq"], place + 1);
        }
        assert_eq!(events.last().expect("events")["event"], "deploy.finished");
    }
    let mut client = project.client();
    assert_eq!(
        client.number("count(*) FROM pgdeploy.journal WHERE event = 'backfill.completed'"),
        1,
        "the journal has them too"
    );
    assert!(client.try_run("DELETE FROM pgdeploy.journal").is_err(), "and does not forget");
}

#[test]
fn plan_deploy_and_status_speak_json_with_the_same_facts() {
    let project = release();
    let plan = project.pgdeploy(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["schema"]["pending"], serde_json::json!(["0001_a"]));
    assert_eq!(plan["changes"], true);
    project.pgdeploy(&["plan", "--detailed-exitcode"]).exits(3);
    let deploy = project.pgdeploy(&["deploy", "--format", "json"]).exits(0).json();
    assert_eq!(deploy["migrations"][0]["migration"], "0001_a");
    assert_eq!(deploy["indexes"][0]["outcome"], "built");
    assert_eq!(deploy["backfills"][0]["outcome"], "complete");
    let status = project.pgdeploy(&["status", "--format", "json"]).exits(0).json();
    assert_eq!(status["up_to_date"], true);
    assert_eq!(status["last"]["status"], "succeeded");
    assert_eq!(status["schema"]["current"], "0001_a");
}

#[test]
fn refusals_are_json_too() {
    let project = release().file("backfills/0001_b.sql", "UPDATE a SET b = 1;");
    let refused = project.pgdeploy(&["deploy", "--format", "json"]).exits(2).json();
    let problem = &refused["failure"]["problems"][0];
    assert_eq!(problem["path"], "backfills/0001_b.sql");
    assert_eq!(problem["line"], 1);
}

#[test]
fn the_documented_exit_codes_are_those_of_the_help() {
    let help = Project::new().pgdeploy(&["--help"]).exits(0).stdout;
    let page = std::fs::read_to_string(root().join("docs/exit-codes.md")).expect("docs/exit-codes.md");
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| ")?
                .split(' ')
                .next()?
                .parse::<u8>()
                .ok()
                .map(|_| line[2..].split(' ').next().unwrap_or(""))
        })
        .collect();
    assert_eq!(
        documented,
        BTreeSet::from([
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "69", "74", "75", "77", "126", "130", "143"
        ])
    );
    for code in documented {
        assert!(help.contains(&format!("{code} ")) || help.contains(&format!("{code},")), "{code} in {help}");
    }
}

#[test]
fn no_secret_appears_in_any_output_or_record() {
    let project = release();
    let url = format!("{}&password=canary_secret", project.url);
    let project = project.variable("TEST_URL", &url);
    for arguments in
        [&["plan"][..], &["deploy", "-vv"], &["status", "--format", "json"], &["deploy", "--format", "jsonl"]]
    {
        let outcome = project.pgdeploy(arguments).exits(0);
        assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome:?}");
    }
    let mut client = project.client();
    for table in ["deployments", "journal", "migrations", "index_builds", "backfills"] {
        assert!(
            !client.is(&format!("EXISTS (SELECT FROM pgdeploy.{table} t WHERE t::text LIKE '%canary%')")),
            "{table}"
        );
    }
}

/// Codes as the program writes them: `"E101"`.
fn codes_below(folder: &std::path::Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            codes_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            found.extend(text.split('"').filter(|word| is_code(word)).map(str::to_owned));
        }
    }
}

fn is_code(word: &str) -> bool {
    word.len() == 4 && word.starts_with(['E', 'W']) && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn every_code_of_the_program_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/messages.md")).expect("docs/messages.md");
    let mut documented: BTreeSet<String> = page
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| is_code(word))
        .map(str::to_owned)
        .collect();
    documented.extend((230..=239).map(|number| format!("E{number}")));
    for name in [
        "sql",
        "fleet",
        "gates",
        "guard",
        "adopt",
        "pipeline",
        "postgres",
        "schema",
        "index",
        "backfill",
        "orchestrator",
        "cli",
    ] {
        let mut used = BTreeSet::new();
        codes_below(&root().join("crates").join(name).join("src"), &mut used);
        let missing: Vec<_> = used.difference(&documented).collect();
        assert!(missing.is_empty(), "crate {name}: {missing:?} are not in docs/messages.md");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_deploy() {
    let project = release();
    let mut running = project.start_without_a_reader(&["deploy"]);
    crate::harness::until("it has ended", || running.has_ended());
    assert_eq!(running.wait().code, Some(0));
    assert_eq!(project.client().number("count(*) FROM a WHERE b = 1"), 2);
}

/// All lines fit the committed schema, and the last one says how it ended.
#[track_caller]
fn is_a_stream(outcome: &crate::harness::Outcome) -> serde_json::Value {
    let validator = jsonschema::validator_for(&committed("docs/jsonl.schema.json")).expect("a schema");
    let events = outcome.events();
    for event in &events {
        assert!(validator.is_valid(event), "{event}");
    }
    let last = events.last().expect("a line").clone();
    assert_eq!(last["event"], "deploy.finished", "{last}");
    assert_eq!(last["exit"].as_i64(), outcome.code.map(i64::from));
    last
}

#[test]
fn refusals_before_the_deploy_are_a_stream_too_and_errors_are_json() {
    let deploy = |project: &Project| project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(2);
    let last = is_a_stream(&deploy(&release().file("pipeline.yaml", "version: 1\nname: [")));
    assert_eq!(last["problems"][0]["line"], 2, "{last}");
    let last = is_a_stream(&deploy(&release().file("backfills/0001_b.sql", "UPDATE a SET b = 1;")));
    assert_eq!(last["problems"][0]["path"], "backfills/0001_b.sql");
    is_a_stream(&deploy(&release().variable("TEST_URL", "postgresql://h:none/d")));
    is_a_stream(&release().pgdeploy(&["deploy", "--format", "jsonl", "--no-such-flag"]).exits(2));
    let production = release();
    is_a_stream(&production.deploy_production(&["--format=jsonl"]).exits(2));

    // The embedded server's own errors, which have no place in a file.
    let project = release()
        .variable("PGDEPLOY_PG_BINDIR", "/nowhere")
        .file("pipeline.yaml", "version: 1\nname: test\nenvironments: { dev: { database: embedded } }\n");
    assert_eq!(is_a_stream(&deploy(&project))["code"], "E314");
    let error = project.pgdeploy(&["status", "--format", "json"]).exits(2).json();
    assert_eq!(error["failure"]["code"], "E314");
    let error = project.pgdeploy(&["new", "migration", "", "--format", "json"]).exits(2).json();
    assert_eq!(error["failure"]["code"], "E272");
    let plan = release().pgdeploy(&["plan", "--format", "jsonl"]).exits(0);
    assert_eq!(plan.events().len(), 1, "one object, one line");
}

#[test]
fn what_services_and_url_commands_say_is_shown_and_kept_without_secrets() {
    let url = |project: &Project| format!("{}&password=canary_password", project.url);
    let project = release();
    let secret_url = url(&project);
    let project = project
        .variable("TEST_URL", &secret_url)
        .variable("CANARY", "canary_value")
        .pipeline(
            "services: { stop: { run: [sh, -c, 'echo \"$$CANARY $$TEST_URL\"; echo \"$$0 canary_password PGPASSWORD=canary_other postgres://u:canary_third@h/d\" >&2; exit 1', '${CANARY}'] } }\n",
        );
    let shown = [
        project.pgdeploy(&["deploy", "-vv"]).exits(7).says("***"),
        project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(7),
        project.pgdeploy(&["deploy", "--format", "json"]).exits(7),
    ];
    for outcome in shown {
        assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome:?}");
    }
    let mut client = project.client();
    for table in ["deployments", "journal"] {
        assert!(
            !client.is(&format!("EXISTS (SELECT FROM pgdeploy.{table} t WHERE t::text LIKE '%canary%')")),
            "{table}"
        );
    }

    let project = release().variable("CANARY", "canary_value").file(
        "pipeline.yaml",
        "version: 1\nname: test\nenvironments: { prod: { database: { url_command: [sh, -c, 'echo \"$$0 postgres://u:canary_third@h/d\" >&2; exit 1', '${CANARY}'] } } }\n",
    );
    let outcome = project.deploy().exits(2).says("E270").says("***");
    assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome:?}");
}

#[test]
fn a_result_that_cannot_be_written_is_74_and_a_reader_that_goes_away_is_none() {
    let full = std::path::Path::new("/dev/full");
    if full.exists() {
        for arguments in [&["schema"][..], &["--help"], &["deploy"]] {
            let outcome = release().start_into(arguments, full).wait();
            assert_eq!(outcome.code, Some(74), "{arguments:?}");
            assert!(outcome.stderr.contains("could not be written"), "{}", outcome.stderr);
        }
    }
    for arguments in [&["completions", "bash"][..], &["schema"], &["--help"]] {
        let mut running = release().start_without_a_reader(arguments);
        crate::harness::until("it has ended", || running.has_ended());
        let outcome = running.wait();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn deploy_production_says_its_own_name() {
    let help = Project::new().deploy_production(&["--help"]).exits(0).says("Usage: deploy_production").stdout;
    assert!(!help.contains("--env <"), "{help}");
    assert!(
        Project::new().deploy_production(&["--no-such-flag"]).exits(2).stderr.contains("deploy_production")
    );
}

#[test]
fn codes_are_explained_from_the_page_that_lists_them() {
    let project = Project::new();
    project
        .pgdeploy(&["explain", "E104"])
        .exits(0)
        .says("E104")
        .says("what to do: give it the next free number");
    project.pgdeploy(&["explain", "e233"]).exits(0).says("E230 to E239");
    project.pgdeploy(&["explain", "E999"]).exits(2).says("no such code");
}
