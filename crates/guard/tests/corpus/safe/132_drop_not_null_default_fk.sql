-- expect: none
ALTER TABLE calls DROP CONSTRAINT calls_lead_fkey; ALTER TABLE calls ALTER COLUMN lead_id DROP NOT NULL;
