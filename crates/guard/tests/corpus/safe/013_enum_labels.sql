-- expect: none
CREATE TYPE change AS ENUM ('update', 'delete from', 'insert');
