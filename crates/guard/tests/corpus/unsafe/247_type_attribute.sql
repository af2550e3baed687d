-- expect: change-type
ALTER TYPE address ALTER ATTRIBUTE zip TYPE int CASCADE;
