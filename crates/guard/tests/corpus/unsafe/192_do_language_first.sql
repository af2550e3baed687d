-- expect: dml-delete
DO LANGUAGE plpgsql 'BEGIN DELETE FROM leads; END';
