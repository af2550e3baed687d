//! The rules, one per file.

mod add_check;
mod add_exclusion;
mod add_foreign_key;
mod add_unique;
mod attach_partition;
mod change_type;
mod column_references;
mod column_unique;
mod column_with_check;
mod concurrently_in_transaction;
mod constrained_domain_column;
mod create_index;
mod create_partition;
mod detach_partition;
mod disable_trigger;
mod dml_call;
mod dml_copy;
mod dml_create_as;
mod dml_delete;
mod dml_insert_select;
mod dml_insert_values;
mod dml_merge;
mod dml_truncate;
mod dml_update;
mod domain_constraint;
mod drop_column;
mod drop_index;
mod drop_table;
mod enum_value_used;
mod foreign_key_without_index;
mod lock_table;
mod newer_server;
mod nullable_primary_key;
mod refresh_materialized_view;
mod reindex;
mod rename;
mod required_column;
mod rewrite_table;
mod row_locks;
mod scan_under_lock;
mod serial_column;
mod server_wide;
mod set_not_null;
mod set_schema;
mod set_sequence;
mod several_tables;
mod sleep;
mod stored_generated_column;
mod timeouts;
mod transaction_control;
mod unknown_call;
mod unknown_statement;
mod validate_in_same_file;
mod volatile_default;

use sql::NodeEnum;
use sql::ast::VariableSetKind;

use crate::look::Look;
use crate::rule::{Found, Rule};
use crate::tree::Tree;
use crate::write::Write;

/// Every rule that looks at statements, by topic.
pub static ALL: &[Rule] = &[
    dml_update::RULE,
    dml_delete::RULE,
    dml_merge::RULE,
    dml_insert_select::RULE,
    dml_insert_values::RULE,
    dml_truncate::RULE,
    dml_copy::RULE,
    dml_create_as::RULE,
    dml_call::RULE,
    unknown_call::RULE,
    unknown_statement::RULE,
    set_sequence::RULE,
    row_locks::RULE,
    volatile_default::RULE,
    serial_column::RULE,
    stored_generated_column::RULE,
    constrained_domain_column::RULE,
    required_column::RULE,
    column_with_check::RULE,
    column_unique::RULE,
    column_references::RULE,
    set_not_null::RULE,
    add_check::RULE,
    add_foreign_key::RULE,
    foreign_key_without_index::RULE,
    validate_in_same_file::RULE,
    scan_under_lock::RULE,
    add_unique::RULE,
    nullable_primary_key::RULE,
    add_exclusion::RULE,
    change_type::RULE,
    create_index::RULE,
    concurrently_in_transaction::RULE,
    drop_index::RULE,
    reindex::RULE,
    attach_partition::RULE,
    create_partition::RULE,
    detach_partition::RULE,
    rewrite_table::RULE,
    refresh_materialized_view::RULE,
    drop_column::RULE,
    drop_table::RULE,
    rename::RULE,
    set_schema::RULE,
    domain_constraint::RULE,
    lock_table::RULE,
    disable_trigger::RULE,
    sleep::RULE,
    timeouts::RULE,
    transaction_control::RULE,
    several_tables::RULE,
    enum_value_used::RULE,
    server_wide::RULE,
    newer_server::RULE,
];

/// The rule of an id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}

/// One finding for each change of rows of one kind.
fn changes(look: &Look<'_>, is: impl Fn(&Write) -> bool) -> Vec<Found> {
    let of = look.act.writes.iter().filter(|write| is(write));
    let found = of.map(|write| {
        let table = write.table.as_ref().map(|table| format!(" of {table}")).unwrap_or_default();
        let within = if write.nested { " inside another statement" } else { "" };
        Found::new(format!("{}{table}{within}{} changes rows", write.change.verb(), look.act.hidden()))
            .rewrite(backfill(look, write))
    });
    found.collect()
}

/// The statement as a backfill, where it is one.
fn backfill(look: &Look<'_>, write: &Write) -> String {
    let name = write.table.as_ref().map_or("rows", |table| table.name.as_str());
    let text = look.act.node.clone().filter(|_| !write.nested).and_then(sql::statement_text);
    format!(
        "-- backfills/NNNN_{name}.sql\n{};",
        text.unwrap_or_else(|| "-- the change as one statement".into())
    )
}

/// Whether an option is given and not switched off.
fn has_option(options: &Tree, name: &str) -> bool {
    options.list().iter().any(|option| {
        let value = option.get("arg").string().unwrap_or("on");
        option.get("defname").text().is_some_and(|found| found.eq_ignore_ascii_case(name))
            && !["off", "false", "0"].contains(&value)
    })
}

/// A setting that an act changes, and its value; `None` for its default.
fn setting(look: &Look<'_>) -> Option<(String, Option<String>)> {
    match look.node()? {
        NodeEnum::VariableSetStmt(set) => match set.kind() {
            VariableSetKind::VarSetValue => {
                let value = Tree::of(set.args.first()?);
                let number = value.get("val").get("ival").number().to_string();
                Some((set.name.to_lowercase(), Some(value.string().map_or(number, str::to_owned))))
            }
            VariableSetKind::VarSetDefault | VariableSetKind::VarReset => {
                Some((set.name.to_lowercase(), None))
            }
            _ => None,
        },
        _ => {
            let call = look.act.calls.iter().find(|call| call.name.name == "set_config")?;
            Some((call.texts.first()?.to_lowercase(), call.texts.get(1).cloned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Judge, Knowledge, Severity, Source};

    fn found(text: &str) -> Vec<(&'static str, Severity)> {
        let source = Source::from_bytes(std::path::Path::new("migrations/1_x.sql"), text.into()).unwrap();
        let findings = Judge::new(Knowledge::default()).migration(&source);
        findings.iter().map(|finding| (finding.rule, finding.severity)).collect()
    }

    #[test]
    fn each_rule_finds_its_bad_examples() {
        let mut missed = Vec::new();
        for rule in super::ALL {
            for bad in rule.bad {
                if !found(bad).iter().any(|(id, _)| *id == rule.id) {
                    missed.push(format!("{}: {bad}: {:?}", rule.id, found(bad)));
                }
            }
        }
        assert!(missed.is_empty(), "{}", missed.join("\n"));
    }

    #[test]
    fn good_examples_pass_every_rule() {
        let mut alarms = Vec::new();
        for rule in super::ALL {
            for good in rule.good {
                let above = found(good).into_iter().filter(|(_, severity)| *severity > Severity::Hint);
                alarms.extend(above.map(|(id, _)| format!("{}: {good}: {id}", rule.id)));
            }
        }
        assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    }

    #[test]
    fn ids_are_unique_and_every_page_is_complete() {
        for (at, rule) in super::ALL.iter().enumerate() {
            assert!(super::ALL[at + 1..].iter().all(|other| other.id != rule.id), "{}", rule.id);
            for text in [rule.summary, rule.lock, rule.why, rule.rewrite] {
                assert!(!text.is_empty(), "{}", rule.id);
            }
            // What the target decides has its tests in its own file.
            assert!(!rule.bad.is_empty() || rule.id == "newer-server", "{}", rule.id);
        }
    }
}
