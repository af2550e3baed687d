-- expect: create-index
CREATE UNIQUE INDEX i ON lead_stats (id);
