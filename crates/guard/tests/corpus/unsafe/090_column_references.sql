-- expect: column-references
ALTER TABLE leads ADD COLUMN owner_id bigint REFERENCES users (id);
