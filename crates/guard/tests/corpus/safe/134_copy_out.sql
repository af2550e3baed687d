-- expect: none
COPY (SELECT 'DELETE FROM x') TO '/tmp/x'; COPY leads (id) TO STDOUT;
