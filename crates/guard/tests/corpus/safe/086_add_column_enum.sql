-- expect: none
CREATE TYPE mood AS ENUM ('ok', 'bad'); ALTER TABLE leads ADD COLUMN mood mood DEFAULT 'ok' NOT NULL;
