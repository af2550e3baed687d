-- expect: none
PREPARE p AS DELETE FROM leads; DEALLOCATE p;
