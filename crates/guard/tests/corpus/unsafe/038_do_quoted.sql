-- expect: dml-update
DO 'BEGIN UPDATE leads SET a = ''x''; END';
