-- expect: none
SELECT cron.schedule('nightly', '0 3 * * *', 'DELETE FROM sessions WHERE expired');
