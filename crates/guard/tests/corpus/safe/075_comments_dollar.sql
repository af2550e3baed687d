-- expect: none
COMMENT ON FUNCTION f() IS $c$ DELETE FROM leads; UPDATE x SET y = 1; $c$; -- DELETE FROM leads
/* UPDATE leads SET a = 1; */
