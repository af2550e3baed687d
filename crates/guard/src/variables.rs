//! What the variables of a PL/pgSQL block may hold, as far as literals tell.

use std::collections::HashMap;

use serde_json::Value;

use crate::block::assigned;
use crate::fold;
use crate::tree::Tree;

/// The expressions that are assigned to each variable, by its name or by `record.field`.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    values: HashMap<String, Vec<Tree>>,
    /// Names by their number in the block, for what refers to them so.
    names: Vec<String>,
}

impl Variables {
    /// Of a block as PL/pgSQL's parser gives it.
    pub(crate) fn of(parsed: &Value) -> Self {
        let mut variables = Self::default();
        let datums = parsed[0]["PLpgSQL_function"]["datums"].as_array();
        for datum in datums.into_iter().flatten() {
            let inner = datum.as_object().and_then(|fields| fields.values().next()).unwrap_or(&Value::Null);
            let name = inner["refname"].as_str().unwrap_or("").to_lowercase();
            if let Some(default) = inner["default_val"]["PLpgSQL_expr"]["query"].as_str() {
                variables.assign(&name, default);
            }
            variables.names.push(name);
        }
        variables.collect(parsed);
        variables
    }

    /// The values assigned to a variable; empty for one that is not known.
    pub(crate) fn values(&self, name: &str) -> &[Tree] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// The texts that an expression may yield; what is not known is a [`fold::HOLE`].
    pub(crate) fn texts(&self, expression: &str) -> Vec<String> {
        match sql_expression(expression) {
            Some(tree) => fold::texts(&tree, self),
            None => vec![fold::HOLE.to_string()],
        }
    }

    fn assign(&mut self, name: &str, expression: &str) {
        let tree = sql_expression(expression).unwrap_or(Tree::Nothing);
        self.values.entry(name.to_lowercase()).or_default().push(tree);
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                for (kind, inner) in fields {
                    match kind.as_str() {
                        "PLpgSQL_stmt_assign" => {
                            let text = inner["expr"]["PLpgSQL_expr"]["query"].as_str().unwrap_or("");
                            if let Some((name, right)) = assigned(text) {
                                self.assign(name, right);
                            }
                        }
                        "PLpgSQL_stmt_execsql" if inner["into"] == true => {
                            self.select(&inner["sqlstmt"], &inner["target"]);
                        }
                        "PLpgSQL_stmt_fors" => self.select(&inner["query"], &inner["var"]),
                        "PLpgSQL_stmt_foreach_a" => self.elements(inner),
                        // What comes out of a text is not known.
                        "PLpgSQL_stmt_dynexecute" => self.unknown(&inner["target"]),
                        "PLpgSQL_stmt_dynfors" => self.unknown(&inner["var"]),
                        "PLpgSQL_stmt_fetch" => self.unknown(&inner["target"]),
                        _ => {}
                    }
                    self.collect(inner);
                }
            }
            _ => {}
        }
    }

    /// `SELECT a, b INTO x, y` and `FOR r IN SELECT ..`.
    fn select(&mut self, query: &Value, target: &Value) {
        let text = query["PLpgSQL_expr"]["query"].as_str().unwrap_or("");
        let parsed = pg_query::parse(text, 0).ok();
        let tree = parsed.map_or(Tree::Nothing, |parsed| {
            parsed.protobuf.stmts.first().map_or(Tree::Nothing, |raw| Tree::of(&raw.stmt))
        });
        let columns = tree.get("target_list").list();
        let value = |column: Option<&Tree>| column.map_or(Tree::Nothing, |column| column.get("val").clone());
        if let Some(record) = target["PLpgSQL_rec"]["refname"].as_str() {
            for column in columns {
                let inner = column.get("val");
                let name =
                    column.get("name").text().map(str::to_owned).unwrap_or_else(|| match inner.kind() {
                        "FuncCall" => inner.get("funcname").qualified().name,
                        _ => inner.get("fields").qualified().name,
                    });
                self.values
                    .entry(format!("{}.{name}", record.to_lowercase()))
                    .or_default()
                    .push(inner.clone());
            }
        }
        for (at, field) in target["PLpgSQL_row"]["fields"].as_array().into_iter().flatten().enumerate() {
            let name = field["name"].as_str().unwrap_or("").to_lowercase();
            self.values.entry(name).or_default().push(value(columns.get(at)));
        }
    }

    /// `FOREACH v IN ARRAY ARRAY['a', 'b']`.
    fn elements(&mut self, inner: &Value) {
        let number = inner["varno"].as_u64().and_then(|number| usize::try_from(number).ok());
        let Some(name) = number.and_then(|number| self.names.get(number)).cloned() else { return };
        let text = inner["expr"]["PLpgSQL_expr"]["query"].as_str().unwrap_or("");
        let tree = sql_expression(text).unwrap_or(Tree::Nothing);
        let mut array = &tree;
        if array.kind() == "TypeCast" {
            array = array.get("arg");
        }
        if let ("ColumnRef", [value]) = (array.kind(), self.values(&array.get("fields").qualified().name)) {
            array = value;
        }
        let elements = array.get("elements").list().to_vec();
        let known = array.kind() == "AArrayExpr" && !elements.is_empty();
        self.values.entry(name).or_default().extend(if known { elements } else { vec![Tree::Nothing] });
    }

    fn unknown(&mut self, target: &Value) {
        if let Some(record) = target["PLpgSQL_rec"]["refname"].as_str() {
            self.values.entry(record.to_lowercase()).or_default().push(Tree::Nothing);
        }
        for field in target["PLpgSQL_row"]["fields"].as_array().into_iter().flatten() {
            let name = field["name"].as_str().unwrap_or("").to_lowercase();
            self.values.entry(name).or_default().push(Tree::Nothing);
        }
    }
}

/// The tree of an expression.
fn sql_expression(text: &str) -> Option<Tree> {
    let parsed = pg_query::parse(&format!("SELECT {text}"), 0).ok()?;
    let tree = Tree::of(&parsed.protobuf.stmts.first()?.stmt);
    tree.get("target_list").list().first().map(|target| target.get("val").clone())
}
