//! Whether a valid index is what its declaration makes. The server itself says what that is: it is asked to create the
//! same index on an empty temporary copy of the table, which is then rolled back.

use postgres::{Error, Row, ServerError, Session};

use crate::declaration::Declaration;
use crate::head::Head;
use crate::survey::{TABLESPACE, Table};

/// What the server makes of a declaration.
pub(crate) enum Made {
    /// An index of this text (`pg_get_indexdef`).
    Text(String),
    /// Nothing: it refuses the definition.
    Refused(Box<ServerError>),
    /// It cannot be asked.
    Unable(String),
}

/// Asks the server. Takes about a millisecond, needs the right to create temporary tables, and leaves nothing behind.
pub(crate) async fn ask(
    session: &mut Session,
    declaration: &Declaration,
    table: &Table,
) -> Result<Made, Error> {
    let copy = sql::qualified("pg_temp", &table.name);
    let statement = declaration.statement(&copy, false);
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL temp_tablespaces = ''; CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP",
        sql::identifier(&table.name),
        table.quoted()
    );
    let made = async {
        if let Err(error) = session.run(&begin).await {
            return server(error).map(|report| Made::Unable(report.to_string()));
        }
        if let Err(error) = session.run(&statement.text()).await {
            return server(error).map(Made::Refused);
        }
        let index = sql::qualified("pg_temp", &declaration.name);
        let text = format!(
            "SELECT pg_catalog.pg_get_indexdef(c.oid), {TABLESPACE} FROM pg_catalog.pg_class c WHERE c.oid = {}::regclass",
            sql::literal(&index)
        );
        let row = session.one(&text).await?;
        Ok(Made::Text(described(declaration, row.try_get(0)?, &row.try_get::<String, _>(1)?)))
    };
    let made = made.await;
    session.run("ROLLBACK").await?;
    made
}

fn server(error: Error) -> Result<Box<ServerError>, Error> {
    match error {
        Error::Server(report) => Ok(report),
        other => Err(other),
    }
}

/// The text of an index, with its tablespace if the declaration names one: where it does not, any will do.
pub(crate) fn described(declaration: &Declaration, text: String, tablespace: &str) -> String {
    match &declaration.tablespace {
        Some(_) => format!("{text}{IN_TABLESPACE}{tablespace}"),
        None => text,
    }
}

/// The same without the tablespace, for comparing with indexes that are wherever they are.
pub(crate) fn anywhere(declaration: &Declaration, text: &str) -> String {
    let cut = declaration.tablespace.as_ref().and(text.rsplit_once(IN_TABLESPACE));
    cut.map_or(text, |(text, _)| text).to_owned()
}

const IN_TABLESPACE: &str = " TABLESPACE ";

/// Whether two texts of `pg_get_indexdef` are the same index on the same table; the name of the schema they show for
/// the table is left out.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let cut = |text: &str| Head::of(text, 0).map(|head| (head.unique, text[head.tail..].to_owned()));
    match (cut(one), cut(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The text `made` of a temporary copy's index as it would read on the table of the index `there`.
pub(crate) fn as_if_of(made: &str, there: &str) -> String {
    match (Head::of(made, 0), Head::of(there, 0)) {
        (Some(made_head), Some(there_head)) => {
            let unique = if made_head.unique { "UNIQUE " } else { "" };
            let start = there.find("INDEX ").unwrap_or(0);
            format!("CREATE {unique}{}{}", &there[start..there_head.tail], &made[made_head.tail..])
        }
        _ => made.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_does_not_count_and_everything_behind_it_does() {
        let actual = "CREATE UNIQUE INDEX i ON public.t USING btree (lower(a)) WHERE (b > 0)";
        let temporary = "CREATE UNIQUE INDEX i ON pg_temp_3.t USING btree (lower(a)) WHERE (b > 0)";
        assert!(same(actual, temporary));
        assert!(!same(actual, &temporary.replace("UNIQUE ", "")));
        assert!(!same(actual, &temporary.replace("b > 0", "b > 1")));
        assert!(same(
            "CREATE INDEX i ON ONLY public.t USING btree (a)",
            "CREATE INDEX i ON t USING btree (a)"
        ));
    }
}
