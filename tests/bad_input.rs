//! Bad input: an error with its place, its reason and the next step; exit 2; nothing touched.

use crate::harness::Project;

/// Both commands refuse, in the same words, and the database has no trace of ours.
#[track_caller]
fn refused(project: &Project, words: &[&str]) {
    for command in ["check", "deploy"] {
        let mut outcome = project.pgdeploy(&[command]).exits(2);
        for word in words {
            outcome = outcome.says(word);
        }
    }
    assert_eq!(project.client().text("to_regnamespace('pgdeploy')"), "NULL", "nothing was touched");
}

#[track_caller]
fn refused_file(path: &str, bytes: &[u8], words: &[&str]) {
    let project = Project::new().file("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, a int);");
    project.write(path, bytes);
    refused(&project, words);
}

#[test]
fn files_that_are_no_text() {
    refused_file("migrations/0002_x.sql", b"SELECT '\xc3", &["E213", "byte 8", "UTF-8"]);
    refused_file("migrations/0002_x.sql", b"SELECT 1;\0", &["E213", "NUL byte at offset 9"]);
    refused_file("indexes/x.sql", b"\x7fELF\x02\x01\x01\x00", &["E213"]);
    refused_file("migrations/0002_big.sql", &vec![b' '; 10 * 1024 * 1024], &["E212", "10485760 bytes"]);
}

#[cfg(unix)]
#[test]
fn files_that_cannot_be_read_or_lead_out_of_the_folder() {
    let outside = tempfile::NamedTempFile::new().expect("a file");
    let project = Project::new().file("migrations/0001_t.sql", "SELECT 1;");
    std::os::unix::fs::symlink(outside.path(), project.path().join("migrations/0002_link.sql"))
        .expect("a link");
    refused(&project, &["E211", "migrations/0002_link.sql"]);
    project.remove("migrations/0002_link.sql");
    std::fs::create_dir(project.path().join("migrations/0002_folder.sql")).expect("a folder");
    refused(&project, &["E210", "0002_folder.sql"]);
}

#[test]
fn migrations_that_are_not_one_versioned_transaction() {
    refused_file("migrations/add_users.sql", b"SELECT 1;", &["E214", "0042_add_email.sql"]);
    refused_file("migrations/0002_empty.sql", b"-- nothing\n", &["E221", "no statement"]);
    refused_file(
        "migrations/0002_x.sql",
        b"ALTER TABLE t ADD b int;\nALTER TABEL t;",
        &["E220", "0002_x.sql:2:7", "TABEL"],
    );
    refused_file(
        "migrations/0002_x.sql",
        b"BEGIN;\nALTER TABLE t ADD b int;\nCOMMIT;",
        &["E222", "0002_x.sql:1:1", "0002_x.sql:3:1"],
    );
    refused_file("migrations/0002_x.sql", b"\\i other.sql\n", &["E220", "psql"]);
    refused_file(
        "migrations/0002_x.sql",
        b"-- pgdeploy:\n--   requires: [0009_nothing]\nSELECT 1;",
        &["E118", "0002_x.sql", "no such migration"],
    );
    refused_file(
        "migrations/0002_x.sql",
        b"-- pgdeploy:\n--   requires_backfill: [0009_nothing]\nSELECT 1;",
        &["E125", "0002_x.sql", "no such file"],
    );
    refused_file(
        "migrations/0002_x.sql",
        b"-- pgdeploy:\n--   when: true; select 1\nSELECT 1;",
        &["E117", "0002_x.sql", "not a condition"],
    );
    refused_file("migrations/0002_x.down.sql", b"SELECT 1;", &["E120", "0002_x.down.sql"]);
    refused_file("migrations/0002_x.sql", b"VACUUM;", &["E222", "0002_x.sql:1:1", "transaction: false"]);
    refused_file(
        "migrations/0002_x.sql",
        b"-- pgdeploy:\n--   transaction: false\nBEGIN;\nVACUUM;",
        &["E222", "0002_x.sql:3:1", "stands alone"],
    );
    refused_file(
        "migrations/0002_x.sql",
        b"-- pgdeploy:\n--   requries: [1]\nSELECT 1;",
        &["E215", "requries"],
    );
}

#[test]
fn everything_that_is_wrong_with_the_files_is_told_at_once() {
    let project = Project::new()
        .file("migrations/0001_ends.sql", "CREATE TABLE a (i int); COMMIT;")
        .file("migrations/0002_meta.sql", "\\d a\nSELECT 1;")
        .file("migrations/0003_rows.sql", "COPY a FROM stdin;\n1\n\\.\n")
        .file("migrations/0004_index.sql", "CREATE INDEX CONCURRENTLY i ON a (i);")
        .file("migrations/0005_nul.sql", "CREATE TABLE x\0 (i int);")
        .file("migrations/0006_one.sql", "SELECT 1;")
        .file("migrations/0006_other.sql", "SELECT 1;")
        .file("migrations/0007_circle.sql", "-- pgdeploy:\n--   requires: [0008_circle]\nSELECT 1;")
        .file("migrations/0008_circle.sql", "-- pgdeploy:\n--   requires: [0007_circle]\nSELECT 1;")
        .file("migrations/0009_alone.down.sql", "SELECT 1;")
        .file("indexes/x.sql", "CREATE INDEX ON a (i);")
        .file("backfills/0001_x.sql", "DO $$ BEGIN END $$;");
    for command in ["check", "deploy"] {
        let mut outcome = project.pgdeploy(&[command]).exits(2).says("E213");
        for (code, place) in [
            ("E222", "0001_ends.sql:1:25"),
            ("E220", "0002_meta.sql:1:1"),
            ("E220", "0003_rows.sql:2:1"),
            ("E222", "0004_index.sql:1:1"),
            ("E213", "0005_nul.sql"),
            ("E105", "0006_other.sql"),
            ("E119", "0007_circle.sql"),
            ("E120", "0009_alone.down.sql"),
            ("E23", "indexes/x.sql:1"),
            ("E24", "backfills/0001_x.sql"),
        ] {
            outcome = outcome.says(code).says(place);
        }
    }
}

#[test]
fn index_files_with_something_else_in_them() {
    refused_file("indexes/x.sql", b"CREATE INDEX ON t (a);", &["indexes/x.sql:1"]);
    refused_file("indexes/x.sql", b"CREATE INDEX IF NOT EXISTS i ON t (a);", &["indexes/x.sql:1"]);
    refused_file("indexes/x.sql", b"CREATE INDEX i ON t (a);\nUPDATE t SET a = 1;", &["indexes/x.sql:2"]);
    refused_file(
        "indexes/x.sql",
        b"CREATE INDEX i ON t (a);\nCREATE INDEX i ON t (id);",
        &["indexes/x.sql:2"],
    );
}

#[test]
fn backfills_that_are_not_one_plain_statement() {
    refused_file("backfills/0001_x.sql", b"", &["backfills/0001_x.sql"]);
    refused_file("backfills/fill.sql", b"UPDATE t SET a = 1 WHERE a IS NULL;", &["backfills/fill.sql"]);
    refused_file(
        "backfills/0001_x.sql",
        b"UPDATE t SET a = 1 WHERE a IS NULL; DELETE FROM t WHERE a = 2;",
        &["backfills/0001_x.sql:1:37"],
    );
    refused_file("backfills/0001_x.sql", b"UPDATE t SET a = 1;", &["WHERE"]);
    refused_file("backfills/0001_x.sql", b"DO $$ BEGIN UPDATE t SET a = 1; END $$;", &["DO"]);
    refused_file("backfills/0001_x.sql", b"SELECT 1;", &["backfills/0001_x.sql:1:1"]);
}

#[test]
fn backfills_of_tables_that_cannot_be_walked_are_refused_before_anything_is_touched() {
    let project = Project::new().file("migrations/0001_m.sql", "CREATE TABLE m (id int);");
    project.deploy().exits(0);
    project.client().run("CREATE TABLE keyless (a int); CREATE VIEW v AS SELECT 1 AS a");
    let project = project.file("migrations/0002_n.sql", "CREATE TABLE n (id int);");
    for (table, word) in [("keyless", "primary key"), ("v", "view")] {
        project
            .write("backfills/0001_x.sql", format!("UPDATE {table} SET a = 1 WHERE a IS NULL;").as_bytes());
        project.deploy().exits(2).says(word).says("backfills/0001_x.sql");
        assert_eq!(project.client().text("to_regclass('n')"), "NULL", "nothing was touched");
    }
}

#[test]
fn pipelines_that_are_not_one() {
    let project = Project::new();
    let cases: [(&str, &[&str]); 7] = [
        ("", &["pipeline.yaml"]),
        ("version: 1\nname: a\n---\nversion: 1\n", &["document"]),
        (
            "version: 1\nname: a\nname: b\nenvironments: { p: { database: embedded } }\n",
            &["name", "pipeline.yaml:3:1"],
        ),
        ("version: 1\nname: a\nenvironments: { p: { databse: embedded } }\n", &["databse", "database"]),
        (
            "version: 1\nname: a\nenvironments: { p: { database: embedded, strategy: online } }\n",
            &["strategy", "not supported yet"],
        ),
        (
            "version: 1\nname: a\nenvironments: { p: { database: embedded } }\nstages: { schema: { lock_timeout: 5 } }\n",
            &["lock_timeout"],
        ),
        ("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n", &["pipeline.yaml"]),
    ];
    for (text, words) in cases {
        project.write("pipeline.yaml", text.as_bytes());
        let mut outcome = project.pgdeploy(&["check"]).exits(2);
        for word in words {
            outcome = outcome.says(word);
        }
    }
    project.write("pipeline.yaml", b"version: 1\nname: \xff\n");
    project.pgdeploy(&["check"]).exits(2).says("UTF-8");
    project.remove("pipeline.yaml");
    project.pgdeploy(&["check"]).exits(2).says("pipeline.yaml");
}

#[test]
fn a_file_of_a_hundred_thousand_statements_is_no_problem() {
    let text: String = (0..100_000).map(|n| format!("SELECT {n};\n")).collect();
    let project = Project::new().file("migrations/0001_many.sql", &text);
    project.pgdeploy(&["check"]).exits(0);
}

#[test]
fn a_word_that_does_not_exist_on_the_command_line_is_2_with_what_was_meant() {
    Project::new().pgdeploy(&["deplyo"]).exits(2).says("deploy");
    Project::new().pgdeploy(&["deploy", "--env", "porduction"]).exits(2).says("prod");
}
