//! One session with a PostgreSQL server: connecting, the run lock, errors, the ledger's bootstrap
