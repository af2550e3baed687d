//! What earlier builds have left beside the declared indexes: dropped where it is known to be a leftover, told about
//! where it is not.

use std::collections::HashSet;

use postgres::{Error, PgRow, Row, Session, Warning, query};
use tokio::time::Instant;

use crate::clean::{self, Condemned, Dropped};
use crate::declaration::Declaration;
use crate::event::Event;
use crate::ledger::{Act, Ended};
use crate::leftover::CLEANING;
use crate::listing::Listed;
use crate::locks;
use crate::name::{NEW, OLD, with_end};
use crate::partition;
use crate::survey::{Found, Table};
use crate::watch::milliseconds;
use crate::worker::Worker;

/// An index that no file declares and that looks like a leftover.
pub(crate) struct Stray {
    schema: String,
    name: String,
    table: Table,
    valid: bool,
    rejects_rows: bool,
    size_bytes: i64,
    /// The ledger has a replacement that ended with it.
    replaced: bool,
}

impl Stray {
    /// What REINDEX CONCURRENTLY has left, wherever it is.
    pub(crate) fn of(listed: &Listed) -> Self {
        Self {
            schema: listed.schema.clone(),
            name: listed.name.clone(),
            table: listed.table(),
            valid: false,
            rejects_rows: listed.rejects_rows,
            size_bytes: listed.size_bytes,
            replaced: false,
        }
    }

    /// Whether PostgreSQL has named it: what a REINDEX CONCURRENTLY that failed has left (REINDEX, "Rebuilding Indexes
    /// Concurrently").
    fn is_of_reindex(&self) -> bool {
        is_of_reindex(&self.name)
    }

    /// Whether it is a step of a replacement of one of `settled`.
    fn is_of_replacement(&self, settled: &[(&Declaration, &Found)]) -> bool {
        let of = |index: &&(&Declaration, &Found)| {
            index.1.table.as_ref().is_some_and(|table| table.oid == self.table.oid)
                && [NEW, OLD].iter().any(|end| with_end(&index.0.name, end) == self.name)
        };
        (self.replaced || !self.valid) && settled.iter().any(|index| of(&index))
    }
}

/// Whether PostgreSQL gives this name to an index for the time of REINDEX CONCURRENTLY.
pub(crate) fn is_of_reindex(name: &str) -> bool {
    let name = name.trim_end_matches(|end: char| end.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
}

impl Worker<'_> {
    /// Drops leftovers on the tables of declared indexes; `settled` are those that are as declared. Returns warnings on
    /// what stays.
    pub(crate) async fn sweep(
        &mut self,
        declared: &[(&Declaration, &Found)],
        settled: &[(&Declaration, &Found)],
    ) -> Vec<Warning> {
        if self.is_stopped() || self.is_over() {
            return Vec::new();
        }
        let strays = match strays(&mut self.session, declared, self.stage.ledger).await {
            Ok(strays) => strays,
            Err(error) => {
                let message = format!("leftovers of earlier builds could not be looked for: {error}");
                return vec![Warning { code: crate::WARNING, message, next: None }];
            }
        };
        let mut warnings = Vec::new();
        for stray in strays {
            let ours = stray.is_of_replacement(settled) || (stray.is_of_reindex() && !stray.valid);
            let left = match ours {
                true => self.drop_stray(&stray).await.unwrap_or_else(|error| Some(error.to_string())),
                false if stray.valid => None,
                false => Some("no file declares it".into()),
            };
            warnings.extend(left.map(|left| warning(&stray, &left)));
        }
        warnings
    }

    /// Words if it stays.
    pub(crate) async fn drop_stray(&mut self, stray: &Stray) -> Result<Option<String>, Error> {
        if !locks::free(&mut self.session, &stray.table).await? {
            return Ok(Some("others hold a lock on its table: the next deploy drops it".into()));
        }
        let started = Instant::now();
        let act = Act {
            action: "drop",
            schema: &stray.schema,
            table: &stray.table.name,
            index: &stray.name,
            declaration: None,
            state_before: if stray.valid { "present" } else { "invalid" },
            attempt: 1,
            pid: None,
        };
        let id = self.begin(act).await?;
        let condemned = Condemned { schema: &stray.schema, name: &stray.name, table: &stray.table.name };
        let (outcome, left) = match clean::drop_index(self.stage, &condemned, started + CLEANING).await {
            Dropped::Gone => {
                self.tell(Event::Dropped {
                    index: stray.name.clone(),
                    table: stray.table.name.clone(),
                    duration_ms: milliseconds(started.elapsed()),
                });
                ("dropped", None)
            }
            Dropped::Unfinished => {
                ("detached", Some("the server drops it as soon as older transactions end".to_owned()))
            }
            Dropped::Refused(error) => ("failed", Some(format!("it could not be dropped: {error}"))),
        };
        self.finish(id, Ended { outcome, message: left.as_deref(), ..Ended::default() }).await?;
        Ok(left)
    }
}

fn warning(stray: &Stray, left: &str) -> Warning {
    let (table, size) = (&stray.table.name, stray.size_bytes);
    let state = match (stray.valid, stray.rejects_rows) {
        (true, _) => "replaced and of no use any more",
        (false, true) => "invalid, and it rejects duplicate rows now",
        (false, false) => "invalid: no query uses it",
    };
    Warning {
        code: crate::WARNING,
        message: format!("index {} on {table} ({size} bytes) is {state}; {left}", stray.name),
        next: Some(format!("DROP INDEX CONCURRENTLY {};", sql::qualified(&stray.schema, &stray.name))),
    }
}

/// Undeclared indexes on the tables of declared ones and their partitions that are not valid, or have a name that a replacement gives; not
/// those that are being built.
async fn strays(
    session: &mut Session,
    declared: &[(&Declaration, &Found)],
    ledger: &str,
) -> Result<Vec<Stray>, Error> {
    let families: HashSet<i64> =
        declared.iter().filter_map(|(_, found)| found.table.as_ref()).map(|table| table.oid).collect();
    let (mut made, mut oids): (Vec<String>, Vec<i64>) = (Vec::new(), Vec::new());
    for (declaration, found) in declared {
        let Some(table) = &found.table else { continue };
        made.extend([NEW, OLD].map(|end| with_end(&declaration.name, end)));
        oids.extend([table.oid; 2]);
    }
    let text = format!(
        "SELECT n.nspname::text, c.relname::text, i.indrelid::int8, i.indisvalid AND i.indisready AND i.indislive, \
                i.indisunique AND i.indisready, pg_catalog.pg_relation_size(c.oid::regclass), \
                EXISTS (SELECT FROM {ledger}.index_builds b WHERE b.index_name = c.relname AND b.table_schema = n.nspname \
                        AND b.action = 'build') \
                OR EXISTS (SELECT FROM {ledger}.index_builds b WHERE b.action = 'replace' AND b.table_schema = n.nspname \
                           AND b.table_name = t.relname AND c.relname LIKE '%\\_dpold'), \
                tn.nspname::text, t.relname::text, t.relkind::text, f.family \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
         JOIN (SELECT w AS family, coalesce(p.relid, w::oid::regclass) AS relid FROM pg_catalog.unnest($1::int8[]) w \
               LEFT JOIN LATERAL pg_catalog.pg_partition_tree(w::oid::regclass) p ON true) f ON f.relid = i.indrelid \
         WHERE c.relkind = 'i' AND NOT c.relispartition AND c.relname <> ALL ($2) AND (NOT (i.indisvalid AND i.indisready AND i.indislive) \
             OR (c.relname, i.indrelid::int8) IN (SELECT * FROM unnest($3::text[], $4::int8[]))) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid) \
         ORDER BY 1, 2",
        ledger = sql::identifier(ledger)
    );
    let rows = query(&text)
        .bind(families.into_iter().collect::<Vec<_>>())
        .bind(declared.iter().map(|(declaration, _)| declaration.name.clone()).collect::<Vec<_>>())
        .bind(made)
        .bind(oids)
        .fetch_all(session.connection())
        .await?;
    let strays = rows.iter().map(stray).collect::<Result<Vec<_>, Error>>()?;
    // A partition's part of a declared index is told with that index.
    let is_part = |stray: &Stray| {
        declared.iter().any(|(declaration, found)| {
            found.table.as_ref().is_some_and(|table| table.oid == stray.table.family)
                && partition::name_of_part(&declaration.name, &stray.table.name) == stray.name
        })
    };
    Ok(strays.into_iter().filter(|stray| !is_part(stray)).collect())
}

fn stray(row: &PgRow) -> Result<Stray, Error> {
    Ok(Stray {
        schema: row.try_get(0)?,
        name: row.try_get(1)?,
        table: Table::known(
            row.try_get(2)?,
            row.try_get(10)?,
            row.try_get(7)?,
            row.try_get(8)?,
            row.try_get(9)?,
        ),
        valid: row.try_get(3)?,
        rejects_rows: row.try_get(4)?,
        size_bytes: row.try_get(5)?,
        replaced: row.try_get(6)?,
    })
}
