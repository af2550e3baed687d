//! Stage 3: batched backfills; a warning stage
