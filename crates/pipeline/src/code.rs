//! The stable codes of what can be wrong with pipeline.yaml.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// Every code of this crate with what it means, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, concat!($($doc),+).trim_ascii())),+];
    };
}

codes! {
    /// The file cannot be read as text: missing, a directory, not permitted, too large, not UTF-8, or with a NUL byte.
    UNREADABLE = "E201";
    /// The file is not YAML.
    SYNTAX = "E202";
    /// The file is not one mapping: it is empty, holds several documents, or a list.
    NOT_ONE_MAPPING = "E203";
    /// Anchors, aliases and tags are not part of the format: every value stands where it is used.
    ANCHOR = "E204";
    /// A key is written twice in one mapping.
    DUPLICATE_KEY = "E205";
    /// A key that does not exist at this place.
    UNKNOWN_KEY = "E206";
    /// A key that is planned and documented, but that this version cannot honour yet.
    NOT_YET = "E207";
    /// A value of the wrong type.
    WRONG_TYPE = "E208";
    /// A key that must be there is missing.
    MISSING_KEY = "E209";
    /// A name, path or version that is not allowed.
    BAD_VALUE = "E260";
    /// Not a duration with a unit, such as 500ms, 30s, 5m or 2h.
    BAD_DURATION = "E261";
    /// A number or duration outside its bounds, or bounds that contradict each other.
    OUT_OF_BOUNDS = "E262";
    /// An environment that is named but not declared.
    UNKNOWN_ENVIRONMENT = "E263";
    /// Environments that wait for each other.
    CYCLE = "E264";
    /// A database that is neither `embedded`, nor a PostgreSQL URL, nor one source of such a URL.
    BAD_DATABASE = "E265";
    /// A password is written out in the URL of a gated environment.
    LITERAL_PASSWORD = "E266";
    /// Fixtures are only for embedded databases.
    FIXTURES_NOT_EMBEDDED = "E267";
    /// A `${..}` reference that is not well formed, or stands where none is allowed.
    BAD_REFERENCE = "E268";
    /// A variable that the environment refers to is not set.
    VARIABLE_NOT_SET = "E269";
    /// The file or command that should give the database URL failed.
    URL_SOURCE_FAILED = "E270";
    /// No environment was named and none can be taken for granted.
    NO_DEFAULT_ENVIRONMENT = "E271";
    /// A time zone that does not exist.
    BAD_ZONE = "E410";
    /// The beginning of a window is not written as cron has it, or never comes.
    BAD_CRON = "E411";
    /// A window that is none: neither cron with a duration nor from with to, or it ends before it begins.
    BAD_WINDOW = "E412";
    /// A soak, or receipts, without an environment before this one.
    NO_UPSTREAM = "E413";
    /// Approvals that nobody could give: more than there are people, or a person twice.
    NO_APPROVER = "E414";
    /// Not an Ed25519 key, none, or two.
    BAD_KEY = "E415";
    /// A private key is written out in pipeline.yaml.
    LITERAL_KEY = "E416";
    /// A fleet without databases, or with two sources of them.
    NO_FLEET = "E470";
    /// A database of a fleet without a proper name, with one that another has, or without exactly one source of its URL.
    BAD_TARGET = "E471";
    /// Waves that cannot be: one that takes nothing in particular before the last, a last one that does not take the rest, a name twice, an amount that is none.
    BAD_WAVE = "E472";
    /// Something that does not go together with a fleet.
    NOT_WITH_A_FLEET = "E473";
    /// The file of a fleet's databases cannot be read, or a line of it is not `name url`.
    BAD_FLEET_FILE = "E474";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
