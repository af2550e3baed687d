-- One row per call, written by the dialler. It grows fastest of all tables, so it started out without
-- a foreign key; 0007 and 0009 add one without stopping the dialler.
CREATE TABLE call_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_id    bigint      NOT NULL,
    direction  text        NOT NULL CONSTRAINT call_log_direction_check CHECK (direction IN ('inbound', 'outbound')),
    status     text        NOT NULL CONSTRAINT call_log_status_check CHECK (status IN ('answered', 'missed', 'failed')),
    started_at timestamptz NOT NULL,
    duration_s integer     NOT NULL DEFAULT 0
);
