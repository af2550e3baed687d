-- expect: disable-trigger
SET session_replication_role TO 'replica';
