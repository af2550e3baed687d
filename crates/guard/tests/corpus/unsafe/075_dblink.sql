-- expect: dml-call
SELECT dblink_exec('dbname=x', 'UPDATE leads SET a = 1');
