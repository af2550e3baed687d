-- expect: none
ALTER PUBLICATION p ADD TABLE leads; CREATE PUBLICATION q FOR ALL TABLES WITH (publish = 'insert, update');
