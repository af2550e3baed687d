//! Which ends of a deploy are worth another try. docs/exit-codes.md is the contract; a test compares.

/// It is done.
pub const DONE: [u8; 2] = [0, 3];
/// The same release fails again: a person is needed.
pub const FINAL: [u8; 8] = [1, 2, 4, 5, 6, 7, 8, 77];
/// Another try may succeed, and goes on where this one ended.
pub const TRY_AGAIN: [u8; 5] = [69, 74, 75, 130, 143];
/// Of `run` and `wait`, which a job does not use.
pub const NOT_OF_A_DEPLOY: [u8; 1] = [126];

/// As YAML writes a list of them.
pub(crate) fn listed(codes: &[u8]) -> String {
    codes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}
