-- expect: none
CREATE FUNCTION slug(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(t)';
CREATE VIEW v AS SELECT slug(name) FROM leads;
SELECT slug('A');
