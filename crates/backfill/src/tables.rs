//! The ledger's tables of this stage.

use postgres::ledger::Component;

/// The tables this stage owns. A backfill is a generation of a definition; a unit is a part of its table (today always
/// the whole); a range is a span of the key with the cursor in it, walked in passes; skipped are the keys of rows that
/// were locked. `backfill_ranges` leaves room on its pages, since every batch updates one of its rows.
///
/// In a walk over blocks the pass's range hands out ranges of blocks (its own `block` is how far they reach), and the
/// cursor of such a range is (`block`, `step`), the step being a stripe of a part of a chunk,, which is worth something only while the table's `relfilenode` stays
/// what it was.
pub const LEDGER: Component = Component {
    name: "backfill",
    steps: &[
        "
CREATE TABLE {schema}.backfills (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text        NOT NULL,
    generation     int         NOT NULL,
    def_sha256     text        NOT NULL,
    statement      text        NOT NULL,
    table_name     text        NOT NULL,
    key_columns    text[]      NOT NULL,
    tenant         text,
    state          text        NOT NULL CHECK (state IN
                   ('planned', 'running', 'paused', 'sweeping', 'verifying', 'done', 'failed', 'cancelled')),
    estimated_rows bigint      NOT NULL,
    sqlstate       text,
    error          text,
    deployment     bigint      NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at    timestamptz,
    verified_at    timestamptz,
    verified_lsn   pg_lsn,
    UNIQUE (name, generation)
);
CREATE TABLE {schema}.backfill_units (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    backfill_id bigint NOT NULL REFERENCES {schema}.backfills,
    name        text   NOT NULL DEFAULT '',
    UNIQUE (backfill_id, name)
);
CREATE TABLE {schema}.backfill_ranges (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id          bigint      NOT NULL REFERENCES {schema}.backfill_units,
    pass             int         NOT NULL,
    lo               text[],
    hi               text[],
    cursor           text[],
    state            text        NOT NULL CHECK (state IN ('ready', 'leased', 'done')),
    lease_owner      text,
    lease_token      bigint      NOT NULL DEFAULT 0,
    lease_expires_at timestamptz,
    seq              bigint      NOT NULL DEFAULT 0,
    batch_size       bigint      NOT NULL DEFAULT 0,
    scan_size        bigint      NOT NULL DEFAULT 0,
    rows_done        bigint      NOT NULL DEFAULT 0,
    rows_scanned     bigint      NOT NULL DEFAULT 0,
    rows_skipped     bigint      NOT NULL DEFAULT 0,
    rows_unchanged   bigint      NOT NULL DEFAULT 0,
    left_over        text[],
    take_overs       int         NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
CREATE INDEX ON {schema}.backfill_ranges (unit_id, pass);
CREATE TABLE {schema}.backfill_skipped (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id  bigint      NOT NULL REFERENCES {schema}.backfill_units,
    key      text[]      NOT NULL,
    since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts int         NOT NULL DEFAULT 0,
    UNIQUE (unit_id, key)
);
",
        "
ALTER TABLE {schema}.backfill_ranges
    ADD walk         text NOT NULL DEFAULT 'keyset' CHECK (walk IN ('keyset', 'blocks')),
    ADD relfilenode  bigint,
    ADD parent       bigint REFERENCES {schema}.backfill_ranges,
    ADD parent_token bigint,
    ADD block        bigint,
    ADD end_block    bigint,
    ADD step         int;
CREATE TABLE {schema}.backfill_quarantine (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id         bigint      NOT NULL REFERENCES {schema}.backfill_units,
    key             text[]      NOT NULL,
    sqlstate        text,
    message         text        NOT NULL,
    constraint_name text,
    since           timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at     timestamptz,
    UNIQUE (unit_id, key)
);
",
    ],
};
