//! Any bytes, as a file of each folder: no panic, no abort, no hang, and every finding points into the text.
#![no_main]

use std::path::Path;

use guard::{Finding, Judge, Knowledge, Piece, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = Source::from_bytes(Path::new("migrations/1_x.sql"), bytes.to_vec()) else { return };
    let mut judge = Judge::new(Knowledge { one_deploy: true, server_version: Some(15), ..Knowledge::default() });
    check(&source, &judge.migration(&source));
    // What it made is known when it comes again.
    judge.applied(&source);
    check(&source, &judge.migration(&source));
    check(&source, &judge.index_file(&source));
    check(&source, &judge.backfill_file(&source));
    if let Ok(Some(extraction)) = judge.extract(&source, &|_: &Piece| None) {
        // What is left over must still be read as it was.
        if let Some(rest) = extraction.rest.filter(|_| !extraction.pieces.is_empty()) {
            let rest = Source::from_bytes(Path::new("migrations/1_x.sql"), rest.into_bytes());
            let found = rest.map(|rest| Judge::new(Knowledge::default()).migration(&rest)).unwrap_or_default();
            assert!(found.iter().all(|finding| finding.rule != "syntax"), "{found:?}");
        }
    }
});

fn check(source: &Source, findings: &[Finding]) {
    for finding in findings {
        assert!(source.text.get(finding.span.clone()).is_some(), "{finding:?}");
        assert!(!finding.message.contains("gave up"), "{finding:?}");
    }
}
