-- expect: dml-delete
DO U&'BEGIN D\0045LETE FROM leads; END';
