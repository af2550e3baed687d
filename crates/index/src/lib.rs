//! Stage 2: declared indexes, built concurrently; a warning stage
