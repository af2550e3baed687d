//! Findings for machines: JSON, SARIF 2.1.0, GitHub annotations.

mod github;
mod json;
mod sarif;

pub use github::github;
pub use json::json;
pub use sarif::sarif;

#[cfg(test)]
mod tests {
    use crate::{Judge, Knowledge, Source};

    #[test]
    fn every_format_has_rule_place_and_message() {
        let text = "\n alter table t add a int;\n  delete from é%,t;";
        let source =
            Source::from_bytes(std::path::Path::new("m/1_x.sql"), text.replace("é%,", "").into()).unwrap();
        let found = Judge::new(Knowledge::default()).migration(&source);
        assert_eq!(found.len(), 1);
        let json = super::json(&found);
        assert_eq!(json["findings"][0]["line"], 3);
        assert_eq!(json["findings"][0]["column"], 3);
        assert_eq!(json["errors"], 1);
        let sarif = super::sarif(&found);
        assert_eq!(sarif["version"], "2.1.0");
        let run = &sarif["runs"][0];
        let result = &run["results"][0];
        assert_eq!(result["ruleId"], "dml-delete");
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "dml-delete");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
        let github = super::github(&found);
        assert!(github.starts_with("::error file=m/1_x.sql,line=3,col=3,title=dml-delete::"), "{github}");
        assert_eq!(github.lines().count(), 1);
    }
}
