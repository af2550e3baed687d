-- expect: none
ALTER TABLE leads ADD COLUMN doc jsonb DEFAULT '{"op": "UPDATE leads SET a = 1"}'::jsonb; COMMENT ON TABLE leads IS U&'d\0065lete from';
