-- expect: disable-trigger
ALTER TABLE leads DISABLE TRIGGER USER;
