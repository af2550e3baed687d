-- expect: serial-column
ALTER TABLE leads ADD COLUMN n serial;
