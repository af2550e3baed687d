//! pipeline.yaml: from text to a validated Pipeline with source positions
