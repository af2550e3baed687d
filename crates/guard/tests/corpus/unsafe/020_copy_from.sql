-- expect: dml-copy
COPY leads FROM '/tmp/leads.csv' CSV HEADER;
