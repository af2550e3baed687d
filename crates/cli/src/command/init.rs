//! `pgdeploy init`: a first pipeline, the folders, and an example of each kind of file.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::arguments::Global;
use crate::output::say;
use crate::render::Style;
use crate::told::{Told, tell_error};

const MIGRATION: &str = "-- Changes the schema, never rows. Runs once, in one transaction; never edited after it was applied.\n\
CREATE TABLE customers (\n    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    email text NOT NULL,\n    email_domain text\n);\n";
const INDEX: &str = "-- Which indexes should exist; CONCURRENTLY is added when they are built.\n\
CREATE UNIQUE INDEX customers_email_key ON customers (lower(email));\n";
const BACKFILL: &str = "-- The statement that would do it all at once; it is run in small batches. It must make its own WHERE false.\n\
UPDATE customers SET email_domain = split_part(email, '@', 2) WHERE email_domain IS NULL;\n";

/// Writes what is not there yet; never overwrites.
pub(crate) fn run(global: &Global) -> Result<ExitCode, Told> {
    write_all(&global.config).map_err(|error| tell_error(&error, global.format, Style::new(global.color)))
}

fn write_all(config: &Path) -> anyhow::Result<ExitCode> {
    let directory = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write(config, &pipeline_text(directory, "production", None)?)?;
    write(&directory.join("pipeline.schema.json"), &schema_text())?;
    // A folder that has files already has its own first one.
    for (folder, name, text) in [
        ("migrations", "0001_customers.sql", MIGRATION),
        ("indexes", "customers.sql", INDEX),
        ("backfills", "0001_email_domain.sql", BACKFILL),
    ] {
        let folder = directory.join(folder);
        if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            say(format_args!("kept     {}", folder.display()));
            continue;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        write(&folder.join(name), text)?;
    }
    say("next: pgdeploy check, then pgdeploy deploy");
    Ok(ExitCode::SUCCESS)
}

/// What editors read.
pub(crate) fn schema_text() -> String {
    crate::render::json::indented(&pipeline::json_schema()) + "\n"
}

/// The pipeline is called like its directory, as far as that is a name. Its databases are an embedded one for `dev`, and
/// that of `environment`; its migrations are in `folder`.
pub(crate) fn pipeline_text(
    directory: &Path,
    environment: &str,
    folder: Option<&Path>,
) -> anyhow::Result<String> {
    let directory =
        directory.canonicalize().with_context(|| format!("{} cannot be entered", directory.display()))?;
    let name: String = directory.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    let name = if name.is_empty() { "app".to_owned() } else { name.chars().take(63).collect() };
    let usual = Path::new("migrations");
    let stages = folder.filter(|folder| *folder != usual);
    let stages = stages
        .map(|folder| format!("stages:\n  schema: {{ path: {} }}\n", folder.display()))
        .unwrap_or_default();
    let variable: String = environment
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let (dev, after) = match environment {
        "dev" => ("", ""),
        _ => (
            "  dev: { database: embedded }    # a real PostgreSQL in .pgdeploy/, started and stopped by pgdeploy\n",
            ", after: [dev]",
        ),
    };
    Ok(format!(
        "# yaml-language-server: $schema=./pipeline.schema.json\nversion: 1\nname: {name}\n{stages}environments:\n{dev}  \
         {environment}: {{ database: \"${{{variable}_DATABASE_URL}}\"{after} }}\n"
    ))
}

/// Writes a new file and says so; one that is there is kept.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            say(format_args!("wrote    {}", path.display()));
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            say(format_args!("kept     {}", path.display()));
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
    }
}
