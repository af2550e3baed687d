//! A process as a service, and a deploy that is killed at every moment around it.

use rustix::process::Signal;

use super::migrating;
use crate::harness::{Project, until};

/// Services that are real processes: `app` runs until it is stopped, and there may only be one of it.
const PROCESS: &str = "services:
  stop: { run: [sh, stop.sh], timeout: 20s }
  start: { run: [sh, start.sh], timeout: 20s }
  health: [ { run: [sh, -c, 'kill -0 $$(cat app.pid)'], within: 10s } ]
";

fn process() -> Project {
    migrating()
        .pipeline(PROCESS)
        .file("stop.sh", "touch stop-began; sh ./pause.sh stop; if [ -e app.pid ]; then kill -9 $(cat app.pid); rm app.pid; fi; exit 0")
        .file("start.sh", "sh ./pause.sh start; if [ -e app.pid ] && kill -0 $(cat app.pid); then exit 0; fi; sleep 60 > /dev/null 2>&1 & echo $! > app.pid")
        // Each act waits here as long as the test holds it.
        .file("pause.sh", "touch at-$1; while [ -e hold-$1 ]; do sleep 0.02; done")
}

fn app(project: &Project) -> Option<rustix::process::Pid> {
    let text = std::fs::read_to_string(project.path().join("app.pid")).ok()?;
    let pid = rustix::process::Pid::from_raw(text.trim().parse().ok()?)?;
    rustix::process::test_kill_process(pid).is_ok().then_some(pid)
}

#[test]
fn killed_before_inside_and_after_each_act_the_next_deploy_brings_the_process_back_up() {
    for (held, state) in [("stop", "stopping"), ("start", "starting")] {
        let project = process().file(&format!("hold-{held}"), "");
        let running = project.start(&["deploy"]);
        until("the act is under way", || project.path().join(format!("at-{held}")).exists());
        running.signal(Signal::KILL);
        drop(running.wait());
        project.remove(&format!("hold-{held}"));
        let mut client = project.client();
        assert_eq!(
            client.text("(SELECT services FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1)"),
            state
        );
        project.deploy().exits(0);
        let pid = app(&project).expect("the application runs");
        assert_eq!(
            client.text("(SELECT services FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1)"),
            "healthy"
        );
        assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1);
        project.deploy().exits(0);
        assert_eq!(app(&project), Some(pid), "and is left alone from then on");
        rustix::process::kill_process(pid, Signal::KILL).expect("an application to end");
    }
}

#[test]
fn killed_at_any_moment_the_next_deploy_ends_with_the_application_up_and_everything_applied_once() {
    // 8 kills in CI, spread over the time that a deploy takes; PGDEPLOY_KILLS=200 for the long run.
    let kills = std::env::var("PGDEPLOY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let hooked = |project: Project| {
        let hooks = "hooks: { before_deploy: [ { name: a, run: ['true'] } ], after_deploy: [ { name: b, run: ['true'] } ] }\n";
        project.pipeline(&format!("{PROCESS}{hooks}verify: [ {{ name: a, sql: select true }} ]\n"))
    };
    let end = |project: &Project| {
        let pid = app(project).expect("the application runs");
        rustix::process::kill_process(pid, Signal::KILL).expect("an application to end");
    };
    let undisturbed = hooked(process());
    let started = std::time::Instant::now();
    undisturbed.deploy().exits(0);
    let duration = started.elapsed();
    end(&undisturbed);
    for nth in 1..=kills {
        let project = hooked(process());
        let mut running = project.start(&["deploy"]);
        let moment = std::time::Instant::now() + duration * nth / (kills + 1);
        while std::time::Instant::now() < moment && !running.has_ended() {
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        if !running.has_ended() {
            running.signal(Signal::KILL);
        }
        drop(running.wait());
        project.deploy().exits(0);
        end(&project);
        let mut client = project.client();
        let twice = "count(*) FROM pgdeploy.journal WHERE event = 'migration.applied'";
        assert!(client.number(twice) <= 1, "kill {nth}");
        assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1, "kill {nth}");
        assert!(
            client.is(
                "services IN ('healthy', 'untouched') FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1"
            ),
            "kill {nth}"
        );
    }
}
