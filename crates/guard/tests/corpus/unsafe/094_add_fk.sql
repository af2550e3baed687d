-- expect: add-foreign-key
ALTER TABLE leads ADD CONSTRAINT f FOREIGN KEY (owner_id) REFERENCES users (id);
