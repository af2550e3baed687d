-- expect: dml-delete
DO LANGUAGE plpgsql $body$
DECLARE n int;
BEGIN
  DELETE FROM leads WHERE spam;
  GET DIAGNOSTICS n = ROW_COUNT;
  RAISE NOTICE '%', n;
END
$body$;
