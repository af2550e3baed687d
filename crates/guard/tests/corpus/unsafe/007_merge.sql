-- expect: dml-merge
MERGE INTO leads l USING staging s ON l.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name);
