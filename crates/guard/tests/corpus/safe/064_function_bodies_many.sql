-- expect: none
CREATE OR REPLACE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $fn$ DECLARE v_row leads%ROWTYPE; BEGIN INSERT INTO audit(action) VALUES (TG_OP); UPDATE leads SET touched = now() WHERE id = NEW.id; DELETE FROM queue WHERE id = OLD.id; TRUNCATE cache; RETURN NEW; END $fn$;
