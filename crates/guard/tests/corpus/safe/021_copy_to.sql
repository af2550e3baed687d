-- expect: none
COPY leads TO '/tmp/leads.csv';
