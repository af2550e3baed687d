-- expect: none
CREATE TABLE audit (action text CHECK (action IN ('UPDATE', 'DELETE', 'INSERT')));
