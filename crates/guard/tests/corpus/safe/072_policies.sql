-- expect: none
CREATE POLICY p ON leads AS RESTRICTIVE FOR DELETE TO app USING (owner = current_user); ALTER POLICY p ON leads USING (true); DROP POLICY IF EXISTS q ON leads;
