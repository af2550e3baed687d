-- expect: dml-copy
COPY leads FROM PROGRAM 'gunzip < /tmp/leads.gz';
