-- expect: none
CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE leads SET a = NEW.a;
