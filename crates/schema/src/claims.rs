//! What the catalog must hold if files were applied, as far as their text says: nothing is taken on trust that can be
//! looked up.

use std::collections::BTreeMap;

use postgres::{Error, Row, Session, query};
use sql::Source;

/// Something that the catalog holds or does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    /// Of the table, for a column and the like; else of the thing itself. As SQL.
    pub(crate) owner: String,
    /// The name within its table.
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Relation,
    Column,
    Constraint,
    Trigger,
    Type,
    Schema,
    Extension,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Relation => "relation",
            Kind::Column => "column",
            Kind::Constraint => "constraint",
            Kind::Trigger => "trigger",
            Kind::Type => "type",
            Kind::Schema => "schema",
            Kind::Extension => "extension",
        }
    }

    /// Whether there is one, of `f.owner` and `f.name`.
    fn question(self) -> &'static str {
        match self {
            Kind::Relation => "pg_catalog.to_regclass(f.owner) IS NOT NULL",
            Kind::Type => "pg_catalog.to_regtype(f.owner) IS NOT NULL",
            Kind::Column => {
                "EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass(f.owner) AND attname = f.name AND attnum > 0 AND NOT attisdropped)"
            }
            Kind::Constraint => {
                "EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass(f.owner) AND conname = f.name)"
            }
            Kind::Trigger => {
                "EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass(f.owner) AND tgname = f.name)"
            }
            Kind::Schema => "EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = f.name)",
            Kind::Extension => "EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = f.name)",
        }
    }
}

/// What is there, and what is not, after files have run in order: a later file may take back what an earlier one made.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    pub(crate) things: BTreeMap<Thing, bool>,
}

impl Claims {
    /// The claims of files, in the order in which they ran. What only the server can know (a DO block, a function's
    /// work) is not among them.
    pub fn of<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Self {
        let mut claims = Self::default();
        for source in sources {
            // A file that does not parse claims nothing.
            let _ = sql::parse(source, |statements| {
                statements.iter().for_each(|statement| claims.statement(&statement.node));
            });
        }
        claims
    }

    /// Those of these claims that are about the same things as the others.
    pub(crate) fn among(mut self, others: &Self) -> Self {
        self.things.retain(|thing, _| others.things.contains_key(thing));
        self
    }

    /// Where the catalog says otherwise, each as a sentence.
    pub async fn contradicted(
        &self,
        session: &mut Session,
        search_path: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let looked_up = self.look_up(session, search_path).await?;
        let wrong = looked_up.into_iter().filter(|(_, claimed, found)| claimed != found);
        Ok(wrong
            .map(|(thing, _, found)| format!("{thing} {}", if found { "exists" } else { "does not exist" }))
            .collect())
    }

    /// What the files make and the catalog holds, each as a sentence.
    pub async fn found(
        &self,
        session: &mut Session,
        search_path: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let looked_up = self.look_up(session, search_path).await?;
        let there = looked_up.into_iter().filter(|(_, claimed, found)| *claimed && *found);
        Ok(there.map(|(thing, _, _)| format!("{thing} exists")).collect())
    }

    async fn look_up(
        &self,
        session: &mut Session,
        search_path: Option<&str>,
    ) -> Result<Vec<(String, bool, bool)>, Error> {
        let path = search_path.map(|path| format!("; SET LOCAL search_path TO {path}")).unwrap_or_default();
        session.run(&format!("BEGIN READ ONLY{path}")).await?;
        let answers = self.ask(session).await;
        session.run("ROLLBACK").await?;
        answers
    }

    async fn ask(&self, session: &mut Session) -> Result<Vec<(String, bool, bool)>, Error> {
        let mut answers = Vec::new();
        let kinds = [
            Kind::Schema,
            Kind::Extension,
            Kind::Relation,
            Kind::Type,
            Kind::Column,
            Kind::Constraint,
            Kind::Trigger,
        ];
        for kind in kinds {
            let of_kind = || self.things.iter().filter(|(thing, _)| thing.kind == kind);
            let owners: Vec<&str> = of_kind().map(|(thing, _)| thing.owner.as_str()).collect();
            let names: Vec<&str> = of_kind().map(|(thing, _)| thing.name.as_str()).collect();
            let claimed: Vec<bool> = of_kind().map(|(_, claimed)| *claimed).collect();
            let text = format!(
                "SELECT f.owner, f.name, f.claimed, {} FROM unnest($1::text[], $2::text[], $3::bool[]) AS f(owner, name, claimed)",
                kind.question()
            );
            let rows =
                query(&text).bind(owners).bind(names).bind(claimed).fetch_all(session.connection()).await?;
            for row in rows {
                let (owner, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let shown = match kind {
                    Kind::Schema | Kind::Extension => name,
                    Kind::Relation | Kind::Type => owner.replace('"', ""),
                    _ => format!("{}.{name}", owner.replace('"', "")),
                };
                answers.push((format!("{} {shown}", kind.word()), row.try_get(2)?, row.try_get(3)?));
            }
        }
        Ok(answers)
    }

    pub(crate) fn set(&mut self, kind: Kind, owner: impl Into<String>, name: impl Into<String>, there: bool) {
        self.things.insert(Thing { kind, owner: owner.into(), name: name.into() }, there);
    }
}
