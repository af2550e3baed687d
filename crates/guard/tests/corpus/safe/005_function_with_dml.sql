-- expect: none
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = 1; DELETE FROM x; RETURN NEW; END $$;
