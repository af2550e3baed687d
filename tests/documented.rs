//! Examples of the documentation, run as they stand there.

use crate::harness::{Client, Project, root, until};

/// Writes the fenced blocks of a page whose fence names a file: ```` ```yaml pipeline.yaml ````.
fn files_of(page: &str, project: Project) -> Project {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("a page");
    let blocks = text.split("\n```").skip(1).step_by(2);
    let mut written = 0;
    for block in blocks {
        let (fence, body) = block.split_once('\n').expect("a fence of its own line");
        if let Some(name) = fence.split_once(' ').map(|(_, name)| name) {
            project.write(name, format!("{body}\n").as_bytes());
            written += 1;
        }
    }
    assert!(written > 0, "{page} has files in it");
    project
}

#[test]
fn the_example_of_services_stops_proves_starts_and_verifies() {
    let project = Project::new();
    let mut client = project.client();
    client.run("CREATE ROLE crm_app LOGIN");
    let url = project.url.replace("user=postgres", "user=crm_app");
    let programs = scratch::Binaries::find().expect("the server's programs");
    let path = format!("{}:{}", programs.dir().display(), std::env::var("PATH").unwrap_or_default());
    let owner = project.url.clone();
    let project = files_of("services.md", project)
        .variable("DATABASE_URL", &owner)
        .variable("APP_URL", &url)
        .variable("PATH", &path)
        .file("migrations/0001_users.sql", "CREATE TABLE users (id int PRIMARY KEY);");
    let first = project
        .deploy()
        .exits(0)
        .says("no session of crm_app is left")
        .says("healthy")
        .says("verify          users");
    assert!(first.stdout.contains("hook            before_deploy/backup"), "{}", first.stdout);
    let of_app = "count(*) FROM pg_stat_activity WHERE usename = 'crm_app'";
    until("the application is connected", || client.number(of_app) == 1);
    let pid = client.text("(SELECT pid FROM pg_stat_activity WHERE usename = 'crm_app')");

    let project = project.file("migrations/0002_name.sql", "ALTER TABLE users ADD name text;");
    project.deploy().exits(0);
    until("another session is there", || {
        client.number(of_app) == 1
            && client.text("(SELECT pid FROM pg_stat_activity WHERE usename = 'crm_app')") != pid
    });

    // A session that the stop does not know of.
    let stray = Client::connect(&url);
    let text = std::fs::read_to_string(project.path().join("pipeline.yaml")).expect("the pipeline");
    let project = project
        .file("pipeline.yaml", &text.replace("within: 30s }\n  start", "within: 500ms }\n  start"))
        .file("migrations/0003_mail.sql", "ALTER TABLE users ADD mail text;");
    project.deploy().exits(7).says("E451");
    let pages = std::fs::read_to_string(project.path().join("pages")).expect("somebody was paged");
    assert!(pages.starts_with("E451 1 session of crm_app"), "{pages}");
    until("the application is back", || client.number(of_app) == 2);
    stray.close();
    project.pgdeploy(&["deploy"]).exits(0);
    let pid = std::fs::read_to_string(project.path().join("app.pid")).expect("the application's number");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number")).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the application ends");
}

#[test]
fn manifests_are_printed_without_the_environments_variables_and_name_the_release_that_is_deployed() {
    let project = Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    let text = "version: 1\nname: crm\nenvironments:\n  staging: { database: \"${STAGING_URL}\" }\n  production: { database: \"${PRODUCTION_URL}\", after: [staging] }\n";
    let project = project.file("pipeline.yaml", text);
    for (of, expected) in [
        ("dockerfile", "COPY migrations /release/migrations"),
        ("compose", "PRODUCTION_URL: \"${PRODUCTION_URL:?}\""),
        ("k8s", "name: STAGING_URL, valueFrom"),
        ("github", "STAGING_URL: ${{ secrets.STAGING_URL }}"),
        ("gitlab", "deploy --env production"),
    ] {
        let printed = project.pgdeploy(&["manifest", of, "--env", "production"]).exits(0).stdout;
        assert!(printed.contains(expected), "{of}: {printed}");
    }
    // 60s connect.wait, 5m + 15m schema, 2h index, 20m backfill, 5m.
    project
        .pgdeploy(&["manifest", "k8s", "--env", "production"])
        .exits(0)
        .says("activeDeadlineSeconds: 9960");
    let tag =
        project.pgdeploy(&["manifest", "release", "--env", "staging"]).exits(0).stdout.trim().to_owned();
    let url = project.url.clone();
    let project = project.variable("STAGING_URL", &url);
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0).says(&format!("release {tag}"));
    project.pgdeploy(&["wait", "--env", "staging", "--for-release", &tag, "--timeout", "0s"]).exits(0);
}
