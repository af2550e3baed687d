//! A statement that was sent and whose outcome nobody recorded: the catalog is asked whether it is in.

use postgres::{Error, Row, Session, query};
use sql::ast::{IndexStmt, ObjectType, RangeVar};
use sql::{NodeEnum, Source};

/// What is known of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is in.
    Done,
    /// It is not in, or may simply be run again.
    RunAgain,
    /// It is half in: this comes first.
    After(String),
    /// It is half in: this finishes it.
    Finish(String),
    /// The catalog does not tell.
    Unknown,
}

/// Asks about one statement.
pub(crate) async fn probe(session: &mut Session, statement: &Source) -> Result<Doubt, Error> {
    let parsed =
        sql::parse(statement, |statements| statements.into_iter().next().map(|one| question(&one.node)));
    match parsed.ok().flatten() {
        Some(question) => question.ask(session).await,
        None => Ok(Doubt::Unknown),
    }
}

/// What the catalog has to be asked.
enum Question {
    Answered(Doubt),
    Index { name: String, table: String },
    Gone { relations: Vec<String> },
    Partition { parent: String, child: String },
    Named { catalog: &'static str, column: &'static str, name: String, there: bool },
}

fn question(node: &NodeEnum) -> Question {
    use Question::{Answered, Gone, Named, Partition};
    match node {
        NodeEnum::IndexStmt(index) if !index.idxname.is_empty() => of_index(index),
        NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectIndex => {
            let relations = drop.objects.iter().filter_map(crate::shape::listed).collect();
            Gone { relations }
        }
        // Running these twice is what running them once is.
        NodeEnum::VacuumStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::RefreshMatViewStmt(_) => Answered(Doubt::RunAgain),
        NodeEnum::AlterTableStmt(alter) => {
            let detached = alter.cmds.iter().find(|command| sql::detaches_concurrently(command));
            match (detached.and_then(detached_child), &alter.relation) {
                (Some(child), Some(parent)) => Partition { parent: crate::shape::name(parent), child },
                _ => Answered(Doubt::Unknown),
            }
        }
        NodeEnum::CreatedbStmt(create) => {
            Named { catalog: "pg_database", column: "datname", name: create.dbname.clone(), there: true }
        }
        NodeEnum::DropdbStmt(drop) => {
            Named { catalog: "pg_database", column: "datname", name: drop.dbname.clone(), there: false }
        }
        NodeEnum::CreateSubscriptionStmt(create) => {
            Named { catalog: "pg_subscription", column: "subname", name: create.subname.clone(), there: true }
        }
        NodeEnum::DropSubscriptionStmt(drop) => {
            Named { catalog: "pg_subscription", column: "subname", name: drop.subname.clone(), there: false }
        }
        NodeEnum::CreateTableSpaceStmt(create) => {
            let name = create.tablespacename.clone();
            Named { catalog: "pg_tablespace", column: "spcname", name, there: true }
        }
        NodeEnum::DropTableSpaceStmt(drop) => {
            let name = drop.tablespacename.clone();
            Named { catalog: "pg_tablespace", column: "spcname", name, there: false }
        }
        _ => Answered(Doubt::Unknown),
    }
}

fn of_index(index: &IndexStmt) -> Question {
    match &index.relation {
        Some(table) => {
            // An index lies in the schema of its table.
            let name = RangeVar { relname: index.idxname.clone(), ..table.clone() };
            Question::Index { name: crate::shape::name(&name), table: crate::shape::name(table) }
        }
        None => Question::Answered(Doubt::Unknown),
    }
}

fn detached_child(command: &sql::Node) -> Option<String> {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return None };
    let Some(NodeEnum::PartitionCmd(detach)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
        return None;
    };
    detach.name.as_ref().map(crate::shape::name)
}

impl Question {
    async fn ask(self, session: &mut Session) -> Result<Doubt, Error> {
        match self {
            Question::Answered(doubt) => Ok(doubt),
            Question::Index { name, table } => index(session, &name, &table).await,
            Question::Gone { relations } => {
                let text = "SELECT coalesce(pg_catalog.bool_and(pg_catalog.to_regclass(name) IS NULL), false) FROM pg_catalog.unnest($1::text[]) AS r(name)";
                let gone: bool =
                    query(text).bind(relations).fetch_one(session.connection()).await?.try_get(0)?;
                Ok(if gone { Doubt::Done } else { Doubt::RunAgain })
            }
            Question::Partition { parent, child } => partition(session, &parent, &child).await,
            Question::Named { catalog, column, name, there } => {
                let text = format!("SELECT EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {column} = $1)");
                let found: bool =
                    query(&text).bind(name).fetch_one(session.connection()).await?.try_get(0)?;
                Ok(if found == there { Doubt::Done } else { Doubt::RunAgain })
            }
        }
    }
}

/// A concurrent build that was cut short leaves an invalid index behind, under whose name nothing else can be built.
async fn index(session: &mut Session, name: &str, table: &str) -> Result<Doubt, Error> {
    let text = "SELECT i.indisvalid AND i.indisready FROM pg_catalog.pg_index i \
         WHERE i.indexrelid = pg_catalog.to_regclass($1) AND i.indrelid = pg_catalog.to_regclass($2)";
    let row = query(text).bind(name).bind(table).fetch_optional(session.connection()).await?;
    Ok(match row.map(|row| row.try_get::<bool, _>(0)).transpose()? {
        Some(true) => Doubt::Done,
        Some(false) => Doubt::After(format!("DROP INDEX CONCURRENTLY {name}")),
        None => Doubt::RunAgain,
    })
}

async fn partition(session: &mut Session, parent: &str, child: &str) -> Result<Doubt, Error> {
    let text = "SELECT i.inhdetachpending FROM pg_catalog.pg_inherits i \
         WHERE i.inhparent = pg_catalog.to_regclass($1) AND i.inhrelid = pg_catalog.to_regclass($2)";
    let row = query(text).bind(parent).bind(child).fetch_optional(session.connection()).await?;
    Ok(match row.map(|row| row.try_get::<bool, _>(0)).transpose()? {
        Some(true) => Doubt::Finish(format!("ALTER TABLE {parent} DETACH PARTITION {child} FINALIZE")),
        Some(false) => Doubt::RunAgain,
        None => Doubt::Done,
    })
}
