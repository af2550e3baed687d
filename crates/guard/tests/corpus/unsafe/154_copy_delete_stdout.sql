-- expect: dml-delete
COPY (DELETE FROM leads WHERE spam RETURNING id) TO STDOUT;
