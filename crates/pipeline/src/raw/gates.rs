//! The keys of an environment's gates, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::At;
use crate::duration::Written;
use crate::limit as limits;

/// Who has to agree to a plan before it is deployed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approvals {
    /// How many people. Default: 1; at most 20.
    #[schemars(extend("default" = limits::APPROVALS.default, "minimum" = 1, "maximum" = limits::APPROVALS.most))]
    pub(crate) required: Option<At<u64>>,
    /// Who may, by the names in the records, such as [alice, bob]. Default: anybody who neither deploys nor wrote what is pending.
    #[schemars(length(min = 1))]
    pub(crate) from: Option<Vec<At<String>>>,
    /// How long an approval counts. Default: 7days; 1 minute to 90 days.
    #[schemars(extend("default" = limits::APPROVAL_VALID_FOR.default_text()))]
    pub(crate) valid_for: Option<At<Written>>,
}

/// A stretch of time in which nothing begins, or outside of which nothing does. Deny beats allow.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// What people call it, such as weekend.
    pub(crate) name: Option<At<String>>,
    /// When it begins, as the five fields of cron ("0 18 * * FRI"): nothing is deployed in it. With `for`.
    pub(crate) deny: Option<At<String>>,
    /// When it begins, as the five fields of cron ("0 9 * * MON-THU"): nothing is deployed outside of it. With `for`.
    pub(crate) allow: Option<At<String>>,
    /// How long it lasts, by the clock on the wall: 62h from Friday 18:00 is Monday 08:00 also when the clocks change; 1 minute to 366 days.
    #[serde(rename = "for")]
    pub(crate) lasts: Option<At<Written>>,
    /// The first moment of a window that comes once, such as 2026-12-24 or 2026-12-24T18:00. With `to`; nothing is deployed in it.
    pub(crate) from: Option<At<String>>,
    /// The first moment after it, such as 2027-01-02T08:00; a day without a time (2027-01-02) belongs to the window, up to its midnight.
    pub(crate) to: Option<At<String>>,
    /// The zone of its clock, by its IANA name, such as Europe/Paris.
    #[schemars(required)]
    pub(crate) timezone: Option<At<String>>,
    /// What it is about: any of schema, index, backfill. Default: all of a deploy.
    #[schemars(length(min = 1))]
    pub(crate) stages: Option<Vec<At<String>>>,
}

/// The signed receipt that a deploy that ended well writes, for environments that cannot ask this one's database.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    /// The file, relative to pipeline.yaml. ${NAME} is allowed.
    #[schemars(required)]
    pub(crate) write: Option<At<String>>,
    /// The Ed25519 key that signs, from a variable: "${RECEIPT_KEY}"; PEM, or base64 of its 32 bytes. Needed by deploys only.
    pub(crate) sign_key: Option<At<String>>,
    /// A file that holds the key, such as /run/secrets/receipt_key; in place of sign_key.
    pub(crate) sign_key_file: Option<At<String>>,
}

/// Where the evidence of the environments in `after` comes from, in place of their databases.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipts {
    /// Files, relative to pipeline.yaml; one for each environment in `after`. ${NAME} is allowed.
    #[schemars(required, length(min = 1))]
    pub(crate) from: Option<Vec<At<String>>>,
    /// The Ed25519 key that must have signed them: PEM, or base64 of its 32 bytes; or a list, while keys are changed.
    #[schemars(required)]
    pub(crate) public_key: Option<PublicKeys>,
    /// How old a receipt may be. Default: 30days; 1 minute to 10 years.
    #[schemars(extend("default" = limits::RECEIPT_MAX_AGE.default_text()))]
    pub(crate) max_age: Option<At<Written>>,
}

/// The Ed25519 key that must have signed them: PEM, or base64 of its 32 bytes; or a list, while keys are changed.
// The variants are named by the kind of YAML they are read from; see `shape`. In the schema they are untagged.
#[derive(Deserialize, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum PublicKeys {
    Text(At<String>),
    List(Vec<At<String>>),
}
