//! ADD FOREIGN KEY without NOT VALID.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "add-foreign-key",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a foreign key is added and checked at once",
    lock: "SHARE ROW EXCLUSIVE on both tables (no writes) while both are scanned",
    why: "Every row is looked up in the referenced table under the lock. Added NOT VALID it is brief; VALIDATE in a later file scans while the table is read and written.",
    rewrite:
        "ALTER TABLE calls ADD CONSTRAINT calls_lead_fkey FOREIGN KEY (lead_id) REFERENCES leads NOT VALID;
-- in a later file
ALTER TABLE calls VALIDATE CONSTRAINT calls_lead_fkey;",
    bad: &[
        "alter table calls add constraint f foreign key (lead_id) references leads",
        "alter table calls add foreign key (lead_id) references leads (id) on delete cascade",
    ],
    good: &["alter table calls add constraint f foreign key (lead_id) references leads not valid"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, key) in look.added_constraints(ConstrType::ConstrForeign) {
        if key.skip_validation || !key.is_enforced {
            continue;
        }
        let words =
            |nodes: &[sql::Node]| nodes.iter().filter_map(crate::name::word).collect::<Vec<_>>().join(", ");
        let (columns, referenced) = (words(&key.fk_attrs), words(&key.pk_attrs));
        let of = key.pktable.as_ref().map_or_else(|| Name::plain(""), Name::of);
        let parent = of.quoted();
        let parent = if referenced.is_empty() { parent } else { format!("{parent} ({referenced})") };
        let name = if key.conname.is_empty() { format!("{}_fkey", table.name) } else { key.conname.clone() };
        let message = format!("ADD FOREIGN KEY scans {table} and stops writes to it and to {parent}");
        let each = Found::new(message).on(&table).on(&of);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {parent} NOT VALID;\n-- in a later file\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        )));
    }
    found
}
