-- Reads the whole table, but leads can be read and written meanwhile.
ALTER TABLE leads VALIDATE CONSTRAINT leads_status_check;
