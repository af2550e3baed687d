-- expect: dml-update
UPDATE "Crm"."Lead Items" AS "update" SET "set" = 1 WHERE "where" IS NULL;
