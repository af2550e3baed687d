-- expect: none
CREATE OR REPLACE PROCEDURE purge() LANGUAGE sql AS 'DELETE FROM leads';
