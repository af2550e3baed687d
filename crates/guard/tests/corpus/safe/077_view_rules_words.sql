-- expect: none
CREATE VIEW recent AS WITH d AS (SELECT * FROM deleted_leads) SELECT * FROM d UNION ALL SELECT * FROM updates;
