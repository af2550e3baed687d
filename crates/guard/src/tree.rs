//! Any part of a syntax tree in one shape, so that a walk needs no code per kind of node.
//!
//! The protobuf types derive `Serialize`; serialising them into this shape drops what is at its default (which is most
//! of it), so that a long `VALUES` list costs a fraction of the same as JSON.

mod serializer;

use crate::name::Name;

/// A part of a syntax tree without its default values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// What is at its default: absent, empty, 0 or false.
    Nothing,
    /// A number, an enumeration's value, or 1 for true.
    Number(i64),
    /// A string that is not empty.
    Text(String),
    /// A list that is not empty.
    List(Vec<Tree>),
    /// A node: its type's name, such as `UpdateStmt`, and its fields.
    Struct(&'static str, Vec<(&'static str, Tree)>),
}

impl Tree {
    /// The tree of a node of pg_query.
    pub(crate) fn of<T: serde::Serialize>(node: &T) -> Self {
        node.serialize(serializer::Slim).unwrap_or(Self::Nothing)
    }

    pub(crate) fn kind(&self) -> &'static str {
        if let Self::Struct(kind, _) = self { kind } else { "" }
    }

    /// A field; `Nothing` where there is none.
    pub(crate) fn get(&self, field: &str) -> &Tree {
        match self {
            Self::Struct(_, fields) => {
                fields.iter().find(|(name, _)| *name == field).map_or(&Self::Nothing, |(_, tree)| tree)
            }
            _ => &Self::Nothing,
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> i64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    pub(crate) fn list(&self) -> &[Tree] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text of a string constant (`A_Const`), or of the string in a list of names (`String`).
    pub(crate) fn string(&self) -> Option<&str> {
        match self.kind() {
            "AConst" => {
                let value = self.get("val");
                if value.kind() == "String" { Some(value.get("sval").text().unwrap_or("")) } else { None }
            }
            "String" => Some(self.get("sval").text().unwrap_or("")),
            "TypeCast" => self.get("arg").string(),
            _ => None,
        }
    }

    /// The name of a `RangeVar`.
    pub(crate) fn relation(&self) -> Option<Name> {
        (self.kind() == "RangeVar").then(|| Name {
            schema: self.get("schemaname").text().map(str::to_owned),
            name: self.get("relname").text().unwrap_or("").to_owned(),
        })
    }

    /// The name in a list of strings.
    pub(crate) fn qualified(&self) -> Name {
        let words: Vec<&str> = self.list().iter().filter_map(Tree::string).collect();
        let name = words.last().copied().unwrap_or("").to_owned();
        let schema = words.len().checked_sub(2).map(|at| words[at].to_owned());
        Name { schema, name }
    }

    /// Visits this node and all below it, the outer first; `enter` says whether to go into a node's fields.
    pub(crate) fn walk<'t>(&'t self, enter: &mut dyn FnMut(&'t Tree) -> bool) {
        match self {
            Self::Struct(_, fields) if enter(self) => {
                for (_, tree) in fields {
                    tree.walk(enter);
                }
            }
            Self::List(items) => items.iter().for_each(|item| item.walk(enter)),
            _ => {}
        }
    }

    /// Whether any node below satisfies a condition.
    pub(crate) fn any(&self, mut holds: impl FnMut(&Tree) -> bool) -> bool {
        let mut found = false;
        self.walk(&mut |tree| {
            found = found || holds(tree);
            !found
        });
        found
    }

    /// Every name of a relation below, without those of `WITH` queries.
    pub(crate) fn relations(&self) -> Vec<Name> {
        let (mut names, mut with) = (Vec::new(), Vec::new());
        self.walk(&mut |tree| {
            names.extend(tree.relation());
            if tree.kind() == "CommonTableExpr" {
                with.extend(tree.get("ctename").text().map(str::to_owned));
            }
            true
        });
        names.retain(|name| name.schema.is_some() || !with.contains(&name.name));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_kinds_and_names_and_drops_defaults() {
        let parsed = pg_query::parse("with a as (select 1) update s.t set x = f('é') from a, b", 0).unwrap();
        let tree = Tree::of(&parsed.protobuf.stmts[0].stmt);
        assert_eq!(tree.kind(), "UpdateStmt");
        let names: Vec<String> = tree.relations().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["s.t", "b"]);
        assert!(tree.get("where_clause").is_nothing());
        assert!(tree.any(|part| part.string() == Some("é")));
    }
}
