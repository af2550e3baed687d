-- expect: none
ALTER TABLE leads CLUSTER ON leads_pkey; ALTER TABLE leads SET WITHOUT CLUSTER;
