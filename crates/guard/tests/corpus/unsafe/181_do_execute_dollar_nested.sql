-- expect: dml-update
DO $outer$ BEGIN EXECUTE $inner$ UPDATE leads SET a = $x$v$x$ $inner$; END $outer$;
