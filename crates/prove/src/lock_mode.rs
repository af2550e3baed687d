//! Lock modes of relations, from weak to strong, and what each blocks (manual 13.3.1).

use serde::{Serialize, Serializer};

/// A lock mode of a relation; the stronger one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// A query.
    AccessShare,
    /// SELECT .. FOR UPDATE.
    RowShare,
    /// A change of rows.
    RowExclusive,
    /// VACUUM, CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// ADD FOREIGN KEY, CREATE TRIGGER.
    ShareRowExclusive,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive,
    /// Most of ALTER TABLE.
    AccessExclusive,
}

impl LockMode {
    /// As pg_locks names it, such as `AccessExclusiveLock`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        use LockMode::{
            AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
            ShareUpdateExclusive,
        };
        let all = [
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ];
        let name = text.strip_suffix("Lock")?;
        all.into_iter().find(|mode| format!("{mode:?}") == name)
    }

    /// As the manual writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// What an application cannot do meanwhile.
    pub fn blocks(self) -> &'static str {
        match self {
            Self::AccessShare | Self::RowShare | Self::RowExclusive => "DDL only",
            Self::ShareUpdateExclusive => "DDL and VACUUM, no query and no change of rows",
            Self::Share | Self::ShareRowExclusive => "INSERT, UPDATE, DELETE",
            Self::Exclusive => "INSERT, UPDATE, DELETE, SELECT FOR UPDATE",
            Self::AccessExclusive => "everything, SELECT as well",
        }
    }

    /// Whether an application's statements wait for it.
    pub fn blocks_an_application(self) -> bool {
        self >= Self::Share
    }
}

impl Serialize for LockMode {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl schemars::JsonSchema for LockMode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LockMode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode;

    #[test]
    fn modes_have_their_order_and_the_names_of_pg_locks() {
        assert_eq!(LockMode::parse("ShareRowExclusiveLock"), Some(LockMode::ShareRowExclusive));
        assert!(LockMode::parse("AccessExclusiveLock") > LockMode::parse("ShareUpdateExclusiveLock"));
        assert_eq!(LockMode::parse("ExclusiveLocks"), None);
        assert!(
            LockMode::Share.blocks_an_application()
                && !LockMode::ShareUpdateExclusive.blocks_an_application()
        );
    }
}
