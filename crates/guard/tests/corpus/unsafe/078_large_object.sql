-- expect: dml-call
SELECT lo_unlink(16400);
