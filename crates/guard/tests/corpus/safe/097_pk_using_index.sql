-- expect: none
ALTER TABLE leads ADD CONSTRAINT leads_pk PRIMARY KEY USING INDEX leads_pk_idx;
