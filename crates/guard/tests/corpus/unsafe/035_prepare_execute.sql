-- expect: dml-update
PREPARE fill (text) AS UPDATE leads SET status = $1;
EXECUTE fill('new');
DEALLOCATE fill;
