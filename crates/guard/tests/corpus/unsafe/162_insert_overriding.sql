-- expect: dml-insert-select
INSERT INTO leads OVERRIDING SYSTEM VALUE SELECT * FROM old_leads ON CONFLICT (id) DO UPDATE SET a = excluded.a;
