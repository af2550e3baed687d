-- expect: none
CREATE PUBLICATION p FOR TABLE leads WITH (publish = 'insert, update, delete');
