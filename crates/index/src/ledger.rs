//! The stage's table in the ledger: every act with its intent before it and its result after it.

use std::collections::{HashMap, HashSet};

use postgres::ledger::Component;
use postgres::{Error, Row, Session, query};

use crate::declaration::Declaration;
use crate::survey::Table;

/// This stage's tables.
pub const LEDGER: Component = Component {
    name: "index",
    steps: &[
        "CREATE TABLE {schema}.index_builds ( \
           id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           deployment bigint NOT NULL, \
           action text NOT NULL CHECK (action IN ('build', 'drop', 'adopt', 'compare')), \
           table_schema text NOT NULL, \
           table_name text NOT NULL, \
           index_name text NOT NULL, \
           definition text, \
           definition_sha256 text, \
           state_before text NOT NULL, \
           attempt int NOT NULL DEFAULT 1, \
           pid int, \
           backend_start timestamptz, \
           started_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           finished_at timestamptz, \
           outcome text, \
           sqlstate text, \
           message text, \
           phases jsonb, \
           waited_for jsonb, \
           size_bytes bigint, \
           index_text text); \
         CREATE INDEX index_builds_index_name ON {schema}.index_builds (index_name, table_schema, id); \
         COMMENT ON COLUMN {schema}.index_builds.outcome IS 'null from the intent to the result: a null that is left tells of a killed deploy'; \
         COMMENT ON COLUMN {schema}.index_builds.phases IS 'milliseconds by phase of pg_stat_progress_create_index'; \
         COMMENT ON COLUMN {schema}.index_builds.index_text IS 'pg_get_indexdef of what the definition makes: a later index of the same text is as declared'",
        "ALTER TABLE {schema}.index_builds DROP CONSTRAINT index_builds_action_check, ADD CONSTRAINT index_builds_action_check \
         CHECK (action IN ('build', 'drop', 'adopt', 'compare', 'replace', 'attach', 'reindex'))",
    ],
};

/// What an act is about.
pub(crate) struct Act<'a> {
    /// `build`, `drop`, `adopt`, `compare`, `replace`, `attach` or `reindex`.
    pub(crate) action: &'static str,
    pub(crate) schema: &'a str,
    pub(crate) table: &'a str,
    pub(crate) index: &'a str,
    /// The declaration; none for a tombstone.
    pub(crate) declaration: Option<&'a Declaration>,
    pub(crate) state_before: &'static str,
    pub(crate) attempt: u32,
    /// The backend that does it.
    pub(crate) pid: Option<i32>,
}

/// How an act ended.
#[derive(Debug, Default)]
pub(crate) struct Ended<'a> {
    pub(crate) outcome: &'a str,
    pub(crate) sqlstate: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// Milliseconds by phase.
    pub(crate) phases: Option<serde_json::Value>,
    /// The sessions that were waited for.
    pub(crate) waited_for: Option<serde_json::Value>,
    pub(crate) size_bytes: Option<i64>,
    pub(crate) index_text: Option<&'a str>,
}

impl Act<'_> {
    /// Writes the intent, before the act.
    pub(crate) async fn begin(
        &self,
        session: &mut Session,
        ledger: &str,
        deployment: i64,
    ) -> Result<i64, Error> {
        let text = format!(
            "INSERT INTO {}.index_builds (deployment, action, table_schema, table_name, index_name, definition, \
             definition_sha256, state_before, attempt, pid, backend_start) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
             (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = $10)) RETURNING id",
            sql::identifier(ledger)
        );
        let row = query(&text)
            .bind(deployment)
            .bind(self.action)
            .bind(self.schema)
            .bind(self.table)
            .bind(self.index)
            .bind(self.declaration.map(|declaration| declaration.definition.clone()))
            .bind(self.declaration.map(|declaration| declaration.sha256.clone()))
            .bind(self.state_before)
            .bind(i32::try_from(self.attempt).unwrap_or(i32::MAX))
            .bind(self.pid)
            .fetch_one(session.connection())
            .await?;
        Ok(row.try_get(0)?)
    }
}

impl Ended<'_> {
    /// Writes the result, after the act.
    pub(crate) async fn write(&self, session: &mut Session, ledger: &str, id: i64) -> Result<(), Error> {
        let text = format!(
            "UPDATE {}.index_builds SET finished_at = clock_timestamp(), outcome = $2, sqlstate = $3, message = $4, \
             phases = $5, waited_for = $6, size_bytes = $7, index_text = $8 WHERE id = $1",
            sql::identifier(ledger)
        );
        query(&text)
            .bind(id)
            .bind(self.outcome)
            .bind(self.sqlstate)
            .bind(self.message)
            .bind(&self.phases)
            .bind(&self.waited_for)
            .bind(self.size_bytes)
            .bind(self.index_text)
            .execute(session.connection())
            .await?;
        Ok(())
    }
}

/// What the ledger knows about names.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    texts: HashMap<(String, String, String), String>,
    left: HashSet<(String, String)>,
}

impl Memory {
    /// Reads only; empty where there is no ledger.
    pub(crate) async fn read(session: &mut Session, ledger: &str, names: &[String]) -> Result<Self, Error> {
        let mut memory = Self::default();
        let table = sql::qualified(ledger, "index_builds");
        if !postgres::ledger::table_exists(session, ledger, "index_builds").await? {
            return Ok(memory);
        }
        let texts = format!(
            "SELECT DISTINCT ON (index_name, table_schema, definition_sha256) table_schema, index_name, \
             definition_sha256, index_text FROM {table} WHERE index_name = ANY ($1) AND index_text IS NOT NULL \
             AND definition_sha256 IS NOT NULL ORDER BY index_name, table_schema, definition_sha256, id DESC"
        );
        for row in query(&texts).bind(names).fetch_all(session.connection()).await? {
            memory.texts.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?), row.try_get(3)?);
        }
        let left = format!(
            "SELECT table_schema, index_name FROM (SELECT DISTINCT ON (index_name, table_schema) * FROM {table} \
             WHERE index_name = ANY ($1) AND action <> 'compare' ORDER BY index_name, table_schema, id DESC) newest \
             WHERE action = 'build' AND (outcome IS NULL OR outcome IN ('detached', 'interrupted'))"
        );
        for row in query(&left).bind(names).fetch_all(session.connection()).await? {
            memory.left.insert((row.try_get(0)?, row.try_get(1)?));
        }
        Ok(memory)
    }

    /// `pg_get_indexdef` of what the declaration makes, as it was last seen.
    pub(crate) fn text(&self, declaration: &Declaration, table: &Table) -> Option<&str> {
        let key = (table.schema.clone(), declaration.name.clone(), declaration.sha256.clone());
        self.texts.get(&key).map(String::as_str)
    }

    /// Whether the last build of this name was left before its result was known.
    pub(crate) fn was_left(&self, declaration: &Declaration, table: &Table) -> bool {
        self.left.contains(&(table.schema.clone(), declaration.name.clone()))
    }
}

/// Marks the acts that a killed deploy never finished. Having the run lock means that nobody else's are open.
pub(crate) async fn close_left(session: &mut Session, ledger: &str, deployment: i64) -> Result<(), Error> {
    let text = format!(
        "UPDATE {}.index_builds SET outcome = 'interrupted', finished_at = clock_timestamp() \
         WHERE outcome IS NULL AND deployment <> $1",
        sql::identifier(ledger)
    );
    query(&text).bind(deployment).execute(session.connection()).await?;
    Ok(())
}
