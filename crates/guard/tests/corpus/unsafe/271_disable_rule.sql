-- expect: disable-trigger
ALTER TABLE leads DISABLE RULE r;
