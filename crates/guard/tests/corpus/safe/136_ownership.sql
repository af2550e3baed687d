-- expect: none
ALTER TABLE leads OWNER TO app; ALTER FUNCTION f() OWNER TO app; REASSIGN OWNED BY old TO app;
