-- expect: add-unique
ALTER TABLE leads ADD CONSTRAINT leads_pkey PRIMARY KEY (id);
