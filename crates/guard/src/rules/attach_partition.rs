//! ATTACH PARTITION without a proof of its bounds.

use sql::NodeEnum;
use sql::ast::{AlterTableType, ObjectType};

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "attach-partition",
    severity: Severity::Warning,
    kind: Kind::Hazard,
    summary: "a table is attached as a partition",
    lock: "SHARE UPDATE EXCLUSIVE on the parent, ACCESS EXCLUSIVE on the table while it is scanned",
    why: "A valid CHECK that implies the bounds saves the scan. A new table is empty and passes.",
    rewrite: "ALTER TABLE calls_2026 ADD CONSTRAINT bounds CHECK (at >= '2026-01-01' AND at < '2027-01-01') NOT VALID;
-- in a later file
ALTER TABLE calls_2026 VALIDATE CONSTRAINT bounds;
ALTER TABLE calls ATTACH PARTITION calls_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    bad: &[
        "alter table calls attach partition calls_2026 for values from ('2026-01-01') to ('2027-01-01')",
    ],
    good: &[
        "alter index calls_at attach partition calls_2026_at",
        "create table p (like calls); alter table calls attach partition p for values in (1)",
        "alter table p validate constraint bounds; alter table calls attach partition p for values in (1)",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    // An index is attached without a look at any row.
    if matches!(look.node(), Some(NodeEnum::AlterTableStmt(alter)) if alter.objtype() == ObjectType::ObjectIndex)
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (table, command) in look.altering(&[AlterTableType::AtAttachPartition]) {
        let tree = command.def.as_ref().map_or(Tree::Nothing, Tree::of);
        let Some(child) = tree.get("name").relation() else { continue };
        let world = look.world;
        let checked = look.checks(&child).iter().any(|check| check.valid)
            || world.validated.iter().any(|(of, _)| *of == child.name);
        if look.world.with_default_partition.contains(&table.name) && !is_default(&tree) {
            let message =
                format!("the default partition of {table} is scanned under a lock for rows of {child}");
            found.push(Found::new(message));
        }
        if !look.is_new(&child) && !checked {
            found.push(
                Found::new(format!("{child} is scanned under a lock before it is attached to {table}"))
                    .weighing(Severity::Error)
                    .on(&child),
            );
        }
    }
    found
}

fn is_default(partition: &Tree) -> bool {
    !partition.get("bound").get("is_default").is_nothing()
}
