//! An index that is missing and would be the same as one that is there under another name.

use postgres::{Error, Row, query};

use crate::compare::{self, Made};
use crate::declaration::Declaration;
use crate::survey::{TABLESPACE, Table};
use crate::worker::Worker;

impl Worker<'_> {
    /// The name of a valid index that is what the declaration makes, and that no tombstone is for.
    pub(crate) async fn covered_by(
        &mut self,
        declaration: &Declaration,
        table: &Table,
    ) -> Result<Option<String>, Error> {
        if declaration.derived {
            return Ok(None);
        }
        let text = format!(
            "SELECT c.relname::text, pg_catalog.pg_get_indexdef(i.indexrelid), {TABLESPACE} \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid::int8 = $1 AND i.indisvalid AND i.indisready AND i.indislive AND i.indisunique = $2 \
               AND c.relname <> ALL ($3) ORDER BY 1"
        );
        let doomed: Vec<String> =
            self.declarations.tombstones.iter().map(|tombstone| tombstone.name.clone()).collect();
        let rows = query(&text)
            .bind(table.oid)
            .bind(declaration.unique)
            .bind(doomed)
            .fetch_all(self.session.connection())
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // What cannot be made is told by the build.
        let Made::Text(made) = compare::ask(&mut self.session, declaration, table).await? else {
            return Ok(None);
        };
        for row in rows {
            let (name, there, tablespace): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if compare::same(&made, &compare::described(declaration, there, &tablespace)) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
