-- expect: dml-update
UPDATE ONLY leads SET status = 'new';
