//! The ledger's tables of this stage.

use postgres::ledger::Component;

/// The tables this stage owns. A backfill is a generation of a definition; a unit is a part of its table (a partition, a
/// tenant, or the whole); a range without a parent is a pass over a unit, which hands out ranges of blocks or of keys as
/// they are wanted, each with a lease; skipped are the keys of rows to visit by themselves, quarantine those that could
/// not be done. `backfill_ranges` leaves room on its pages, since every batch updates one of its rows.
///
/// Of a pass, (`block`) or (`cursor`) is how far it has handed out ranges, and `seq` counts how often it was begun anew.
/// Of a range of blocks, the cursor is (`block`, `step`), the step being a stripe of a part of a chunk, which is worth
/// something only while the table's `relfilenode` stays what it was; of a range of keys it is the step, a stripe.
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
        "
ALTER TABLE {schema}.backfills
    ALTER deployment DROP NOT NULL,
    ADD mode          text    NOT NULL DEFAULT 'predicate' CHECK (mode IN ('predicate', 'once')),
    ADD sampled       boolean NOT NULL DEFAULT false,
    ADD revision      int     NOT NULL DEFAULT 0,
    ADD wanted        text    NOT NULL DEFAULT 'run' CHECK (wanted IN ('run', 'pause', 'cancel')),
    ADD target_ms     float8,
    ADD pause_ms      float8,
    ADD duty          float8,
    ADD workers       int,
    ADD level         text    NOT NULL DEFAULT 'free',
    ADD reasons       text[]  NOT NULL DEFAULT '{}',
    ADD observed_at   timestamptz;
COMMENT ON COLUMN {schema}.backfills.revision IS 'of wanted and the speed; each batch begins only if it knows the latest';
ALTER TABLE {schema}.backfill_units
    ADD kind           text   NOT NULL DEFAULT 'table' CHECK (kind IN ('table', 'partition', 'tenant')),
    ADD position       int    NOT NULL DEFAULT 0,
    ADD relation       text,
    ADD tenant         text,
    ADD state          text   NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'gone')),
    ADD bound          text[],
    ADD writers        text[],
    ADD estimated_rows bigint,
    ADD sqlstate       text,
    ADD error          text,
    ADD finished_at    timestamptz;
UPDATE {schema}.backfill_units u SET state = CASE b.state WHEN 'done' THEN 'done' ELSE 'running' END, relation = b.table_name
    FROM {schema}.backfills b WHERE b.id = u.backfill_id;
ALTER TABLE {schema}.backfill_ranges
    ADD stripes       int NOT NULL DEFAULT 1,
    ADD lease_pid     int,
    ADD lease_started timestamptz;
-- What was begun by another version is gone on with in another way: its passes begin anew, which in their mode costs
-- nothing but a look, since what is done no longer matches.
DELETE FROM {schema}.backfill_ranges WHERE parent IS NOT NULL AND state <> 'done';
UPDATE {schema}.backfill_ranges SET state = 'ready', block = 0, seq = seq + 1, lease_expires_at = NULL,
    cursor = CASE walk WHEN 'keyset' THEN cursor END WHERE parent IS NULL AND state <> 'done';
CREATE UNIQUE INDEX backfill_passes ON {schema}.backfill_ranges (unit_id, pass) WHERE parent IS NULL;
CREATE INDEX backfill_open_ranges ON {schema}.backfill_ranges (parent) WHERE state <> 'done';
ALTER TABLE {schema}.backfill_quarantine
    ADD resolution  text CHECK (resolution IN ('accepted')),
    ADD resolved_by text,
    ADD reason      text;
CREATE TABLE {schema}.backfill_journal (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    backfill_id bigint      NOT NULL REFERENCES {schema}.backfills,
    revision    int         NOT NULL,
    actor       text        NOT NULL,
    action      text        NOT NULL,
    detail      text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE {schema}.backfill_journal IS 'what people have asked of a backfill while it was at work';
",
    ],
};
