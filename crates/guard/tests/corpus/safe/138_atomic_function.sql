-- expect: none
CREATE FUNCTION add_lead(n text) RETURNS bigint LANGUAGE sql BEGIN ATOMIC INSERT INTO leads (name) VALUES (n) RETURNING id; END;
