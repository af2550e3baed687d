-- expect: add-foreign-key
ALTER TABLE "Leads" ADD CONSTRAINT f FOREIGN KEY (tenant_id, owner_id) REFERENCES crm.users (tenant_id, id) MATCH FULL ON DELETE SET NULL (owner_id) DEFERRABLE;
