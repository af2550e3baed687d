-- expect: none
CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS $$ plpy.execute('DELETE FROM leads') $$;
