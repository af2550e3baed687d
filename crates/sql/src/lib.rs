//! SQL text: sources, headers, statements with exact spans, quoting; no I/O to a database
