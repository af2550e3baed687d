//! What runs without being called by name: routines, views, operators, triggers, rules, domains.

use sql::NodeEnum;
use sql::ast::{
    ConstrType, CreateDomainStmt, CreateEventTrigStmt, CreateFunctionStmt, CreateTrigStmt, DefineStmt,
    RuleStmt, ViewStmt,
};

use super::World;
use crate::call::{self, Call};
use crate::catalog::Catalog;
use crate::name::Name;
use crate::routine::Routine;
use crate::tree::Tree;
use crate::write;

impl World {
    pub(super) fn routine(&mut self, function: &CreateFunctionStmt, definition: &str) {
        let routine = Routine::of(function, definition);
        let name = Name::of_list(&function.funcname).name;
        let stable = function.options.iter().any(|option| {
            let tree = Tree::of(option);
            tree.get("defname").text() == Some("volatility")
                && matches!(tree.get("arg").string(), Some("immutable" | "stable"))
        });
        if stable {
            self.stable.insert(name.clone());
        }
        let known = self.routines.entry(name).or_default();
        if function.replace {
            *known = routine;
        } else {
            // Overloads share a name: what any of them does counts.
            known.add(routine);
        }
    }

    pub(super) fn view(&mut self, view: &ViewStmt) {
        let Some(relation) = &view.view else { return };
        let calls = view.query.as_ref().map_or(Vec::new(), |query| call::of(&Tree::of(query)));
        self.views.insert(relation.relname.clone(), calls);
        self.new_here.push(Name::of(relation));
    }

    /// The routine behind an operator or an aggregate.
    pub(super) fn operator(&mut self, define: &DefineStmt) {
        const KEYS: [&str; 5] = ["sfunc", "sfunc1", "finalfunc", "procedure", "function"];
        let routine = define.definition.iter().find_map(|node| match &node.node {
            Some(NodeEnum::DefElem(element)) if KEYS.contains(&element.defname.as_str()) => {
                let tree = Tree::of(element.arg.as_ref()?);
                Some(match tree.kind() {
                    "TypeName" => tree.get("names").qualified(),
                    _ => tree.qualified(),
                })
            }
            _ => None,
        });
        if let Some(routine) = routine {
            self.operators.insert(Name::of_list(&define.defnames).name, routine);
        }
    }

    pub(super) fn trigger(&mut self, trigger: &CreateTrigStmt) {
        let Some(relation) = &trigger.relation else { return };
        let call = Call::trigger(Name::of_list(&trigger.funcname));
        self.on_write.entry(relation.relname.clone()).or_default().push(call);
    }

    pub(super) fn event_trigger(&mut self, trigger: &CreateEventTrigStmt) {
        self.on_ddl.push(Call::trigger(Name::of_list(&trigger.funcname)));
    }

    pub(super) fn rule(&mut self, rule: &RuleStmt) {
        let Some(relation) = &rule.relation else { return };
        let writes = rule.actions.iter().flat_map(|action| write::of(&Tree::of(action)));
        self.rules.entry(relation.relname.clone()).or_default().extend(writes);
    }

    pub(super) fn domain(&mut self, domain: &CreateDomainStmt) {
        let constrained = domain.constraints.iter().any(|node| match &node.node {
            Some(NodeEnum::Constraint(constraint)) => match constraint.contype() {
                ConstrType::ConstrCheck | ConstrType::ConstrNotnull => true,
                // A volatile default is evaluated for each row of a table that gets a column of the domain.
                ConstrType::ConstrDefault => {
                    constraint.raw_expr.as_ref().is_some_and(|default| self.volatile(default).is_some())
                }
                _ => false,
            },
            _ => false,
        });
        let name = Name::of_list(&domain.domainname).name;
        self.domains.insert(name.clone(), constrained);
        self.types_here.insert(name);
    }

    /// Takes in what the catalog says of routines and domains: it is later than every applied file.
    pub(crate) fn catalog(&mut self, catalog: &Catalog) {
        self.domains.extend(catalog.constrained_domains.iter().map(|name| (name.clone(), true)));
        let mut seen = Vec::new();
        for definition in &catalog.routines {
            let Ok(parsed) = pg_query::parse(definition, 0) else { continue };
            for raw in parsed.protobuf.stmts {
                let Some(NodeEnum::CreateFunctionStmt(mut function)) = raw.stmt.and_then(|node| node.node)
                else {
                    continue;
                };
                let name = Name::of_list(&function.funcname).name;
                // Of several overloads the first one replaces what the files said, the others add to it.
                function.replace = !seen.contains(&name);
                seen.push(name);
                self.routine(&function, definition);
            }
        }
    }

    /// The first routine of an expression that may yield another value for each row.
    pub(crate) fn volatile(&self, expression: &sql::Node) -> Option<String> {
        const VOLATILE: [&str; 15] = [
            "random",
            "random_normal",
            "clock_timestamp",
            "timeofday",
            "gen_random_uuid",
            "uuidv4",
            "uuidv7",
            "nextval",
            "setval",
            "currval",
            "lastval",
            "setseed",
            "set_config",
            "pg_sleep",
            "lo_create",
        ];
        let is_volatile = |call: &Call| match call.is_builtin() {
            true => VOLATILE.contains(&call.name.name.as_str()),
            false => !self.stable.contains(&call.name.name),
        };
        let calls = call::of(&Tree::of(expression));
        calls.iter().find(|call| is_volatile(call)).map(|call| call.name.to_string())
    }
}
