-- expect: dml-update
DO LANGUAGE plpython3u $$ plpy.execute("UPDATE leads SET a = 1") $$;
