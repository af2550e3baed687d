-- expect: serial-column
ALTER TABLE leads ADD COLUMN n smallserial NOT NULL;
