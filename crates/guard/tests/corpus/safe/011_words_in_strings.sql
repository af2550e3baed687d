-- expect: none
COMMENT ON TABLE leads IS 'UPDATE leads SET a = 1; DELETE FROM leads';
COMMENT ON COLUMN leads.a IS E'TRUNCATE\n leads';
