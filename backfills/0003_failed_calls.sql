-- The dialler used to log attempts it gave up on before anything rang. Nobody reads them: they are noise.
DELETE FROM call_log
 WHERE status = 'failed'
   AND duration_s = 0;
