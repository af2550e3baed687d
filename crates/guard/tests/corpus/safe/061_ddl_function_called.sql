-- expect: none
CREATE FUNCTION add_audit(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN audited boolean', t); END $$;
SELECT add_audit('leads');
