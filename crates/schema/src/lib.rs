//! Stage 1, the hard gate: versioned migrations
