//! A partitioned table with its partitions, and the next step towards its index on all of them.

use std::collections::HashSet;

use postgres::{Error, Row, Session, query};

use crate::compare::same;

/// The tables of the tree, the root first, then level by level.
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

/// A table of the tree.
pub(crate) struct Node {
    pub(crate) oid: i64,
    parent: Option<i64>,
    /// `pg_class.relkind`: `p`, `r` or `f`.
    pub(crate) kind: String,
    pub(crate) schema: String,
    pub(crate) name: String,
    indexes: Vec<Part>,
}

/// An index of one of the tables.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    oid: i64,
    pub(crate) schema: String,
    pub(crate) name: String,
    valid: bool,
    /// The index it is attached to.
    parent: Option<i64>,
    constraint: bool,
    text: String,
}

/// What is to be done next; the numbers are those of nodes.
#[derive(Debug)]
pub(crate) enum Step {
    /// `CREATE INDEX .. ON ONLY`: partitions that are added from now on have it from the start.
    Level(usize),
    /// A build on a partition.
    Leaf(usize),
    /// REINDEX CONCURRENTLY of an index that is attached and not valid, and then once more to its parent.
    Reindex { node: usize, index: Part, parent: Part },
    /// `ALTER INDEX .. ATTACH PARTITION`, the lowest level first: from the top it takes ACCESS EXCLUSIVE on the root.
    Attach { node: usize, index: Part, parent: Part },
    /// Plain CREATE INDEX, which finds an index on each partition: foreign ones can have none, and ATTACH would count
    /// them.
    Whole,
}

impl Tree {
    /// Reads only.
    pub(crate) async fn read(session: &mut Session, root: i64) -> Result<Self, Error> {
        let tables = "SELECT c.oid::int8, t.parentrelid::oid::int8, c.relkind::text, n.nspname::text, c.relname::text \
             FROM pg_catalog.pg_partition_tree($1::oid::regclass) t JOIN pg_catalog.pg_class c ON c.oid = t.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY t.level, 4, 5";
        let mut nodes = Vec::new();
        for row in query(tables).bind(root).fetch_all(session.connection()).await? {
            let (oid, parent, kind, schema, name) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            nodes.push(Node { oid, parent, kind, schema, name, indexes: Vec::new() });
        }
        if let Some(root) = nodes.first_mut() {
            root.parent = None;
        }
        let indexes = "SELECT i.indrelid::int8, i.indexrelid::int8, n.nspname::text, c.relname::text, \
                i.indisvalid AND i.indisready AND i.indislive, \
                (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid), \
                EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid), \
                pg_catalog.pg_get_indexdef(i.indexrelid) \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid::int8 = ANY ($1) ORDER BY 4";
        let oids: Vec<i64> = nodes.iter().map(|node| node.oid).collect();
        for row in query(indexes).bind(oids).fetch_all(session.connection()).await? {
            let table: i64 = row.try_get(0)?;
            let part = Part {
                oid: row.try_get(1)?,
                schema: row.try_get(2)?,
                name: row.try_get(3)?,
                valid: row.try_get(4)?,
                parent: row.try_get(5)?,
                constraint: row.try_get(6)?,
                text: row.try_get(7)?,
            };
            if let Some(node) = nodes.iter_mut().find(|node| node.oid == table) {
                node.indexes.push(part);
            }
        }
        Ok(Self { nodes })
    }

    /// How many partitions have the index, and how many there are that can have one.
    pub(crate) fn counted(&self, name: &str, made: &str) -> (usize, usize) {
        let leaves: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].kind == "r").collect();
        let have = leaves.iter().filter(|leaf| self.part(**leaf, name, made).is_some_and(|part| part.valid));
        (have.count(), leaves.len())
    }

    /// The next step towards the index `name` on the root, whose text is `made`; what concerns a table of `failed` is
    /// left out.
    pub(crate) fn next(&self, name: &str, made: &str, failed: &HashSet<i64>) -> Option<Step> {
        let foreign = self.nodes.iter().any(|node| node.kind == "f");
        // Below a level that refuses the index nothing is built for it.
        let open = |node: &usize| self.line(*node).all(|node| !failed.contains(&node.oid));
        let of_kind = |kind: &'static str| {
            (0..self.nodes.len()).filter(move |node| self.nodes[*node].kind == kind).filter(open)
        };
        let missing = |node: &usize| self.part(*node, name, made).is_none();
        if !foreign && let Some(level) = of_kind("p").find(missing) {
            return Some(Step::Level(level));
        }
        for node in of_kind("r") {
            match (self.part(node, name, made), self.above(node, name, made)) {
                (None, _) => return Some(Step::Leaf(node)),
                (Some(part), Some(parent)) if !part.valid => {
                    return Some(Step::Reindex { node, index: part.clone(), parent: parent.clone() });
                }
                _ => {}
            }
        }
        if foreign {
            let (have, all) = self.counted(name, made);
            return (open(&0) && missing(&0) && have == all).then_some(Step::Whole);
        }
        // Deepest first: the nodes are ordered by level.
        (1..self.nodes.len()).rev().filter(open).find_map(|node| {
            let (part, parent) = (self.part(node, name, made)?, self.above(node, name, made)?);
            let attach = part.valid && part.parent.is_none();
            attach.then(|| Step::Attach { node, index: part.clone(), parent: parent.clone() })
        })
    }

    /// What a table has of the index: what is attached to its parent's part, or a valid one that can be attached. A
    /// partitioned table's is valid only once all below it is.
    fn part(&self, node: usize, name: &str, made: &str) -> Option<&Part> {
        let table = &self.nodes[node];
        if table.parent.is_none() {
            return table.indexes.iter().find(|part| part.name == name);
        }
        let above = self.above(node, name, made);
        let attached =
            above.and_then(|above| table.indexes.iter().find(|part| part.parent == Some(above.oid)));
        attached.or_else(|| {
            let fits = |part: &&Part| {
                part.parent.is_none()
                    && !part.constraint
                    && (part.valid || table.kind == "p")
                    && same(made, &part.text)
            };
            table.indexes.iter().find(fits)
        })
    }

    /// A table of the tree with those above it.
    fn line(&self, node: usize) -> impl Iterator<Item = &Node> {
        let above = |node: &&Node| self.nodes.iter().find(|other| Some(other.oid) == node.parent);
        std::iter::successors(self.nodes.get(node), above)
    }

    /// Whether the partitioned table itself has the index, valid or not.
    pub(crate) fn is_begun(&self, name: &str) -> bool {
        self.nodes.first().is_some_and(|root| root.indexes.iter().any(|part| part.name == name))
    }

    fn above(&self, node: usize, name: &str, made: &str) -> Option<&Part> {
        let parent = self.nodes[node].parent?;
        let parent = self.nodes.iter().position(|node| node.oid == parent)?;
        self.part(parent, name, made)
    }
}
