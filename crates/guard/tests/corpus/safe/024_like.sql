-- expect: none
CREATE TABLE a (LIKE leads INCLUDING ALL);
