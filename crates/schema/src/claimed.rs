//! What a statement makes and takes away, as its text says.

use sql::ast::{AlterTableCmd, AlterTableStmt, AlterTableType, CreateStmt, ObjectType, RangeVar, RenameStmt};
use sql::{Node, NodeEnum};

use crate::claims::{Claims, Kind, Thing};

impl Claims {
    pub(crate) fn statement(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::CreateStmt(create) => self.table(create),
            NodeEnum::ViewStmt(view) => self.relation(view.view.as_ref()),
            NodeEnum::CreateSeqStmt(sequence) => self.relation(sequence.sequence.as_ref()),
            NodeEnum::CreateTableAsStmt(table) => {
                self.relation(table.into.as_ref().and_then(|into| into.rel.as_ref()));
            }
            NodeEnum::IndexStmt(index) if !index.idxname.is_empty() => {
                if let Some(table) = &index.relation {
                    let name = RangeVar { relname: index.idxname.clone(), ..table.clone() };
                    self.relation(Some(&name));
                }
            }
            NodeEnum::CreateEnumStmt(create) => self.type_of(&create.type_name, true),
            NodeEnum::CreateRangeStmt(create) => self.type_of(&create.type_name, true),
            NodeEnum::CreateDomainStmt(create) => self.type_of(&create.domainname, true),
            NodeEnum::CompositeTypeStmt(create) => {
                if let Some(name) = &create.typevar {
                    self.set(Kind::Type, named(name), "", true);
                }
            }
            NodeEnum::CreateSchemaStmt(create) if !create.schemaname.is_empty() => {
                self.set(Kind::Schema, "", &create.schemaname, true);
            }
            NodeEnum::CreateExtensionStmt(create) => self.set(Kind::Extension, "", &create.extname, true),
            NodeEnum::CreateTrigStmt(create) => {
                if let Some(table) = &create.relation {
                    self.set(Kind::Trigger, named(table), &create.trigname, true);
                }
            }
            NodeEnum::AlterTableStmt(alter) => self.alter(alter),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::DropStmt(drop) => {
                drop.objects.iter().for_each(|object| self.dropped(drop.remove_type(), object));
            }
            _ => {}
        }
    }

    fn relation(&mut self, name: Option<&RangeVar>) {
        // A temporary one is gone with its session.
        if let Some(name) = name.filter(|name| name.relpersistence != "t") {
            self.set(Kind::Relation, named(name), "", true);
        }
    }

    fn table(&mut self, create: &CreateStmt) {
        let Some(name) = create.relation.as_ref().filter(|name| name.relpersistence != "t") else { return };
        let table = named(name);
        for element in &create.table_elts {
            if let Some(NodeEnum::ColumnDef(column)) = &element.node {
                self.set(Kind::Column, &table, &column.colname, true);
            }
        }
        self.set(Kind::Relation, table, "", true);
    }

    fn type_of(&mut self, parts: &[Node], there: bool) {
        if let Some(name) = joined(parts) {
            self.set(Kind::Type, name, "", there);
        }
    }

    fn alter(&mut self, alter: &AlterTableStmt) {
        let Some(table) = &alter.relation else { return };
        let table = named(table);
        for command in &alter.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
            if let Some((kind, name, there)) = changed(command) {
                self.set(kind, &table, name, there);
            }
        }
    }

    fn rename(&mut self, rename: &RenameStmt) {
        let Some(table) = &rename.relation else { return };
        match rename.rename_type() {
            ObjectType::ObjectColumn => {
                self.set(Kind::Column, named(table), &rename.subname, false);
                self.set(Kind::Column, named(table), &rename.newname, true);
            }
            ObjectType::ObjectTable
            | ObjectType::ObjectView
            | ObjectType::ObjectIndex
            | ObjectType::ObjectSequence => {
                let new = named(&RangeVar { relname: rename.newname.clone(), ..table.clone() });
                self.moved(&named(table), Some(&new));
                self.set(Kind::Relation, named(table), "", false);
                self.set(Kind::Relation, new, "", true);
            }
            ObjectType::ObjectTabconstraint => {
                self.set(Kind::Constraint, named(table), &rename.subname, false);
                self.set(Kind::Constraint, named(table), &rename.newname, true);
            }
            _ => {}
        }
    }

    fn dropped(&mut self, kind: ObjectType, object: &Node) {
        match (kind, &object.node) {
            (ObjectType::ObjectSchema, Some(NodeEnum::String(name))) => {
                self.set(Kind::Schema, "", &name.sval, false)
            }
            (ObjectType::ObjectExtension, Some(NodeEnum::String(name))) => {
                self.set(Kind::Extension, "", &name.sval, false);
            }
            (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(NodeEnum::TypeName(name))) => {
                self.type_of(&name.names, false);
            }
            (ObjectType::ObjectTrigger, Some(NodeEnum::List(parts))) => {
                if let [table @ .., Node { node: Some(NodeEnum::String(trigger)) }] = parts.items.as_slice()
                    && let Some(table) = joined(table)
                {
                    self.set(Kind::Trigger, table, &trigger.sval, false);
                }
            }
            (
                ObjectType::ObjectTable
                | ObjectType::ObjectView
                | ObjectType::ObjectMatview
                | ObjectType::ObjectIndex
                | ObjectType::ObjectSequence,
                Some(NodeEnum::List(parts)),
            ) => {
                if let Some(name) = joined(&parts.items) {
                    self.moved(&name, None);
                    self.set(Kind::Relation, name, "", false);
                }
            }
            _ => {}
        }
    }

    /// A table's columns, constraints and triggers go with it, or under its new name.
    fn moved(&mut self, table: &str, new: Option<&str>) {
        let of_table: Vec<Thing> = self.things.keys().filter(|thing| thing.owner == table).cloned().collect();
        for thing in of_table {
            let there = self.things.remove(&thing);
            if let (Some(new), Some(there), true) = (new, there, thing.kind != Kind::Relation) {
                self.things.insert(Thing { owner: new.to_owned(), ..thing }, there);
            }
        }
    }
}

fn changed(command: &AlterTableCmd) -> Option<(Kind, String, bool)> {
    let def = command.def.as_ref().and_then(|def| def.node.as_ref());
    match (command.subtype(), def) {
        (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(column))) => {
            Some((Kind::Column, column.colname.clone(), true))
        }
        (AlterTableType::AtDropColumn, _) => Some((Kind::Column, command.name.clone(), false)),
        (AlterTableType::AtAddConstraint, Some(NodeEnum::Constraint(constraint)))
            if !constraint.conname.is_empty() =>
        {
            Some((Kind::Constraint, constraint.conname.clone(), true))
        }
        (AlterTableType::AtDropConstraint, _) => Some((Kind::Constraint, command.name.clone(), false)),
        _ => None,
    }
}

/// `public.t` and `t` are one table, unless somebody went out of their way.
fn named(name: &RangeVar) -> String {
    match name.schemaname.as_str() {
        "" | "public" => sql::identifier(&name.relname),
        schema => sql::qualified(schema, &name.relname),
    }
}

fn joined(parts: &[Node]) -> Option<String> {
    let names = parts.iter().map(|part| match &part.node {
        Some(NodeEnum::String(name)) => Some(name.sval.as_str()),
        _ => None,
    });
    let names: Vec<&str> = names.collect::<Option<_>>()?;
    let names = if let ["public", rest @ ..] = names.as_slice() { rest } else { &names };
    Some(names.iter().map(|name| sql::identifier(name)).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sql::Source;

    use super::*;

    #[test]
    fn what_is_taken_back_later_is_not_claimed() {
        let text = |text: &str| Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        let files = [
            text(
                "create table public.a (i int); create table b (i int); create type mood as enum ('x'); create index i on a (i);",
            ),
            text(
                "alter table a add j int, drop column i; drop table b; alter table a rename to c; drop index i; create temp table z (a int)",
            ),
        ];
        let claims = Claims::of(&files);
        let shown: Vec<String> = claims
            .things
            .iter()
            .map(|(thing, there)| format!("{there} {} {} {}", thing.kind.word(), thing.owner, thing.name))
            .collect();
        assert_eq!(
            shown,
            [
                "false relation \"a\" ",
                "false relation \"b\" ",
                "true relation \"c\" ",
                "false relation \"i\" ",
                "false column \"c\" i",
                "true column \"c\" j",
                "true type \"mood\" "
            ]
        );
    }
}
