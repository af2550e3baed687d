-- expect: set-not-null
ALTER TABLE leads ADD CONSTRAINT email_nn NOT NULL email;
