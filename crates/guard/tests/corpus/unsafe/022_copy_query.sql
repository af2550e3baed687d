-- expect: dml-delete
COPY (DELETE FROM leads WHERE spam RETURNING *) TO '/tmp/gone.csv';
