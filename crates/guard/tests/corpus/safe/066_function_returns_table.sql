-- expect: none
CREATE FUNCTION report() RETURNS TABLE ("update" int, "delete" text) STABLE LANGUAGE sql AS $$ SELECT 1, 'insert into x' $$;
