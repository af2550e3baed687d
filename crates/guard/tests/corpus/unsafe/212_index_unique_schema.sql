-- expect: create-index
CREATE UNIQUE INDEX "My Idx" ON crm."Leads" USING btree (lower(email) DESC NULLS LAST) INCLUDE (id) WITH (fillfactor = 90) WHERE deleted_at IS NULL;
