//! What is measured is what PostgreSQL does: locks, rewrites, scans, rows, WAL, on a throwaway server.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use prove::{FileReport, LockMode, Shadow, Sizes, StatementReport, Subject, prove, sizes};
use secrecy::SecretString;
use sql::Source;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const TABLES: &str = "CREATE TABLE leads (id bigint PRIMARY KEY, email text, age int);
    CREATE TABLE calls (id bigint PRIMARY KEY, lead_id bigint);
    INSERT INTO leads SELECT g, 'a' || g, g % 90 FROM generate_series(1, 20000) g;
    CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM le' || 'ads WHERE id <= 5'; END $$";

fn source(name: &str, text: &str) -> Source {
    Source::from_bytes(Path::new(name), text.into()).unwrap()
}

/// Each test process has one subscriber.
fn listen() {
    let _ = tracing_subscriber::registry().with(postgres::notice_layer()).try_init();
}

async fn proven(text: &str, sizes: &Sizes) -> FileReport {
    listen();
    let tables = source("1_tables.sql", TABLES);
    let shadow = Shadow::of_files(&[&tables], None).await.unwrap();
    let mut session = shadow.session().await.unwrap();
    session.run("ANALYZE").await.unwrap();
    let file = source("2_x.sql", text);
    let transaction = !text.contains("CONCURRENTLY");
    let subject = Subject { source: &file, transaction };
    let mut reports = prove(&mut session, &[subject], sizes).await.unwrap();
    session.close().await;
    shadow.stop().await.unwrap();
    reports.remove(0)
}

fn lock(statement: &StatementReport, relation: &str) -> Option<LockMode> {
    statement.locks.iter().find(|lock| lock.relation == relation).map(|lock| lock.mode)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_a_scan_a_proof_and_a_brief_change_are_told_apart() {
    let report = proven(
        "ALTER TABLE leads ADD COLUMN note text;
         ALTER TABLE leads ADD COLUMN token uuid DEFAULT gen_random_uuid();
         ALTER TABLE leads ADD CONSTRAINT adult CHECK (age >= 0);
         ALTER TABLE leads ADD CONSTRAINT has_email CHECK (email IS NOT NULL);
         ALTER TABLE leads ALTER COLUMN email SET NOT NULL;
         ALTER TABLE calls ADD CONSTRAINT f FOREIGN KEY (lead_id) REFERENCES leads NOT VALID;
         CREATE TABLE plans (name text);
         INSERT INTO plans VALUES ('free')",
        &Sizes::new(),
    )
    .await;
    assert_eq!(report.failed, None);
    let [brief, rewrite, scan, check, not_null, key, table, seed] = report.statements.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(lock(brief, "leads"), Some(LockMode::AccessExclusive));
    assert!(brief.rewritten.is_empty() && brief.scans.is_empty() && brief.wal_bytes < 100_000, "{brief:?}");
    assert_eq!(rewrite.rewritten, ["leads", "leads_pkey"]);
    assert!(rewrite.server.contains(&"rewriting table \"leads\"".to_owned()), "{rewrite:?}");
    assert!(rewrite.wal_bytes > 500_000, "{}", rewrite.wal_bytes);
    assert_eq!(lock(rewrite, "leads"), None, "it had its lock already");
    assert_eq!(scan.scans[0].rows, 20_000);
    assert_eq!(scan.server, ["verifying table \"leads\""]);
    assert!(!check.scans.is_empty());
    assert!(not_null.scans.is_empty(), "{not_null:?}");
    assert!(not_null.server[0].starts_with("existing constraints on column"), "{not_null:?}");
    assert_eq!(lock(key, "calls"), Some(LockMode::ShareRowExclusive));
    assert_eq!(lock(key, "leads"), None, "the stronger one is held already");
    assert!(table.locks.is_empty() && seed.rows.is_empty(), "a new table is nobody's");
    assert_eq!(report.held[0].relation, "leads");
    assert!(report.held[0].held_ms >= rewrite.duration_ms);
    assert_eq!(report.changed_rows().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_through_functions_triggers_and_dynamic_sql() {
    let report = proven(
        "SELECT tidy();
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO calls VALUES (NEW.id); RETURN NULL; END $$;
         CREATE TABLE seeds (id bigint);
         CREATE CONSTRAINT TRIGGER t AFTER INSERT ON seeds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch();
         INSERT INTO seeds VALUES (900001), (900002)",
        &Sizes::new(),
    )
    .await;
    assert_eq!(report.failed, None);
    let changed: Vec<_> = report.changed_rows().collect();
    assert_eq!((changed[0].line, changed[0].rows[0].deleted), (1, 5), "{changed:?}");
    assert_eq!((changed[1].rows[0].relation.as_str(), changed[1].rows[0].inserted), ("calls", 2), "deferred");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rows_that_matches_none_is_seen_by_its_lock() {
    let text = "ALTER TABLE calls ADD x int; SELECT nextval('numbers'); LOCK TABLE leads IN SHARE MODE; \
        DO $$ BEGIN UPDATE calls SET x = 1 WHERE false; END $$; SELECT FROM leads FOR UPDATE";
    let report = proven(&format!("CREATE SEQUENCE numbers; {text}"), &Sizes::new()).await;
    assert_eq!(report.failed, None);
    let changed: Vec<_> = report.changed_rows().map(|statement| statement.text.as_str()).collect();
    assert_eq!(changed, ["DO $$ BEGIN UPDATE calls SET x = 1 WHERE false; END $$"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_build_is_sampled_from_outside() {
    // Long enough to be seen by looks that are milliseconds apart.
    let build = "CREATE INDEX CONCURRENTLY i ON leads (md5(repeat(email, 1000)))";
    let report = proven(&format!("{build}; ALTER TABLE leads ADD x int"), &Sizes::new()).await;
    assert_eq!(report.failed, None);
    let [build, add] = report.statements.as_slice() else { panic!("{report:?}") };
    assert!(build.sampled && !add.sampled);
    assert_eq!(lock(build, "leads"), Some(LockMode::ShareUpdateExclusive), "{build:?}");
    assert_eq!(lock(add, "leads"), Some(LockMode::AccessExclusive));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_is_the_measured_rate_times_the_targets_size_or_says_why_not() {
    let key = |name: &str| ("public".to_owned(), name.to_owned());
    let size = |rows| prove::Size { rows: Some(rows), bytes: 8192 };
    let target = Sizes::from([(key("leads"), size(2_000_000.0)), (key("calls"), size(5_000.0))]);
    let report =
        proven("ALTER TABLE leads ADD CHECK (age >= 0); ALTER TABLE calls ADD CHECK (lead_id > 0)", &target)
            .await;
    let [large, empty] = report.statements.as_slice() else { panic!("{report:?}") };
    let factor = large.estimates[0].duration_ms.unwrap() / large.duration_ms;
    assert!((factor - 100.0).abs() < 1.0, "{factor}");
    assert_eq!(empty.estimates[0].target_rows, Some(5_000));
    assert_eq!(empty.estimates[0].not_measurable.as_deref(), Some("calls is empty on the throwaway server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_a_target_is_restored_without_its_ledger_and_its_rows() {
    listen();
    let server = tokio::task::spawn_blocking(scratch::Server::throwaway).await.unwrap().unwrap();
    let url = SecretString::from(server.url("postgres"));
    let mut target = postgres::Target::parse(&url).unwrap().connect("test").await.unwrap();
    target.run(TABLES).await.unwrap();
    let more = "CREATE ROLE app; CREATE SCHEMA crm; CREATE TABLE crm.notes (t text); CREATE SCHEMA pgdeploy; CREATE TABLE pgdeploy.x (a int);
        ALTER TABLE leads ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON leads TO app USING (true);
        ALTER DATABASE postgres SET search_path = crm, public; ANALYZE";
    for statement in more.split(';') {
        target.run(statement).await.unwrap();
    }
    target.close().await;
    let mut target = postgres::Target::parse(&url).unwrap().connect("test").await.unwrap();
    let shadow = Shadow::of_target(&mut target, &url, "pgdeploy").await.unwrap();
    assert!(shadow.notes.is_empty(), "{:?}", shadow.notes);
    let known = sizes(&mut target).await.unwrap();
    let mut session = shadow.session().await.unwrap();
    let file = source(
        "2_x.sql",
        "ALTER TABLE notes ADD a int; ALTER TABLE leads ADD CHECK (age > 0); GRANT SELECT ON leads TO app",
    );
    let subject = Subject { source: &file, transaction: true };
    let reports = prove(&mut session, &[subject], &known).await.unwrap();
    assert_eq!(reports[0].failed, None);
    assert_eq!(lock(&reports[0].statements[0], "crm.notes"), Some(LockMode::AccessExclusive));
    let estimate = &reports[0].statements[1].estimates[0];
    assert_eq!((estimate.target_rows, estimate.duration_ms), (Some(20_000), None));
    assert!(session.run("SELECT FROM pgdeploy.x").await.is_err());
    session.close().await;
    shadow.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_says_why_and_ends_the_proof() {
    let report =
        proven("ALTER TABLE leads ADD a int; ALTER TABLE nowhere ADD a int; SELECT 1", &Sizes::new()).await;
    assert_eq!(report.statements.len(), 1);
    assert!(report.failed.as_deref().is_some_and(|said| said.contains("nowhere")), "{report:?}");
}
