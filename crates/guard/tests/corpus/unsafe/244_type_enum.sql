-- expect: change-type
ALTER TABLE leads ALTER COLUMN status TYPE lead_status USING status::lead_status;
