-- expect: none
CREATE TABLE IF NOT EXISTS updates (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "set" text, merge_into text);
