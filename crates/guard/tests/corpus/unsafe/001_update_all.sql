-- expect: dml-update
UPDATE leads SET status = 'new';
