//! Taking in what a statement makes.

use sql::NodeEnum;

use super::World;
use crate::act::Act;
use crate::name::Name;

impl World {
    /// Takes in what an act makes. `text` is its text, where it is a statement of the file.
    pub(crate) fn learn(&mut self, act: &Act, text: &str) {
        let Some(node) = &act.node else { return };
        match node {
            NodeEnum::CreateStmt(create) => self.create_table(create, &act.tree),
            NodeEnum::CreateTableAsStmt(create) => {
                let into = create.into.as_ref().and_then(|into| into.rel.as_ref());
                self.new_here.extend(into.map(Name::of));
            }
            NodeEnum::SelectStmt(select) => {
                let into = select.into_clause.as_ref().and_then(|into| into.rel.as_ref());
                self.new_here.extend(into.map(Name::of));
            }
            NodeEnum::CreateForeignTableStmt(create) => {
                let relation = create.base_stmt.as_ref().and_then(|base| base.relation.as_ref());
                self.new_here.extend(relation.map(Name::of));
            }
            NodeEnum::ViewStmt(view) => self.view(view),
            NodeEnum::CreateFunctionStmt(function) => {
                let definition = match act.via.is_empty() {
                    true => text.to_owned(),
                    false => sql::statement_text(node.clone()).unwrap_or_default(),
                };
                self.routine(function, &definition);
            }
            NodeEnum::DefineStmt(define) => self.operator(define),
            NodeEnum::CreateTrigStmt(trigger) => self.trigger(trigger),
            NodeEnum::CreateEventTrigStmt(trigger) => self.event_trigger(trigger),
            NodeEnum::RuleStmt(rule) => self.rule(rule),
            NodeEnum::CreateDomainStmt(domain) => self.domain(domain),
            NodeEnum::CreateEnumStmt(create) => {
                self.types_here.insert(Name::of_list(&create.type_name).name);
            }
            NodeEnum::CompositeTypeStmt(create) => {
                self.types_here.extend(create.typevar.as_ref().map(|name| name.relname.clone()));
            }
            NodeEnum::AlterEnumStmt(alter)
                if alter.old_val.is_empty()
                    && !self.types_here.contains(&Name::of_list(&alter.type_name).name) =>
            {
                self.enum_values_here.push(alter.new_val.clone());
            }
            NodeEnum::AlterDomainStmt(alter) if alter.subtype == "C" || alter.subtype == "O" => {
                self.domains.insert(Name::of_list(&alter.type_name).name, true);
            }
            NodeEnum::AlterTableStmt(alter) => {
                let Some(relation) = &alter.relation else { return };
                let name = Name::of(relation);
                for node in &alter.cmds {
                    if let Some(NodeEnum::AlterTableCmd(command)) = &node.node {
                        self.alter(&name, command);
                    }
                }
            }
            NodeEnum::IndexStmt(index) => self.index(index),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::DropStmt(drop) => self.drop(drop),
            _ => {}
        }
    }
}
