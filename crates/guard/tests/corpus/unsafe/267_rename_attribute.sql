-- expect: rename
ALTER TYPE address RENAME ATTRIBUTE zip TO postcode;
