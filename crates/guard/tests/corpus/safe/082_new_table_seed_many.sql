-- expect: none
CREATE TABLE crm.status (code text PRIMARY KEY, label text); INSERT INTO crm.status (code, label) VALUES ('a', 'A'), ('b', upper('b')), ('c', DEFAULT) ON CONFLICT (code) DO NOTHING;
