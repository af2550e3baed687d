-- expect: none
CREATE TRIGGER t BEFORE UPDATE OF email, name ON leads EXECUTE FUNCTION f();
