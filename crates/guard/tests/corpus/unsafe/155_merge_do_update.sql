-- expect: dml-merge
MERGE INTO leads AS l USING (SELECT id, max(at) AS at FROM calls GROUP BY id) c ON l.id = c.id WHEN MATCHED AND l.at IS NULL THEN UPDATE SET at = c.at WHEN NOT MATCHED THEN DO NOTHING;
