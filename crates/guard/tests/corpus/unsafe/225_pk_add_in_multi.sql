-- expect: add-unique
ALTER TABLE leads ADD COLUMN note text, ADD PRIMARY KEY (id), ALTER COLUMN note SET STORAGE EXTERNAL;
