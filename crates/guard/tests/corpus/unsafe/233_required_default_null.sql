-- expect: required-column
ALTER TABLE leads ADD COLUMN a text NOT NULL DEFAULT NULL::text;
