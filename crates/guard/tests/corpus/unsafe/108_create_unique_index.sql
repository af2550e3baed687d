-- expect: create-index
CREATE UNIQUE INDEX IF NOT EXISTS leads_email_idx ON public.leads (lower(email)) WHERE email IS NOT NULL;
