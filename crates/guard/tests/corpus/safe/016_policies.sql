-- expect: none
ALTER TABLE leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY u ON leads FOR UPDATE USING (true) WITH CHECK (true);
CREATE POLICY d ON leads FOR DELETE USING (owner = current_user);
