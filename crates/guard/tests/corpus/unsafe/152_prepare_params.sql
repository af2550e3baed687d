-- expect: dml-update
PREPARE fix(int, text) AS UPDATE leads SET name = $2 WHERE id > $1; EXECUTE fix(0, 'x'); DEALLOCATE fix;
