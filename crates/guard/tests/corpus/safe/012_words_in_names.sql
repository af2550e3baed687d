-- expect: none
CREATE TABLE "update" ("delete" int, "insert into" text);
CREATE TABLE t (update_count int, deleted_at timestamptz, "merge" int);
