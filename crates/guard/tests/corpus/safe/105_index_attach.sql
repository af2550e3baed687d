-- expect: none
ALTER INDEX calls_at ATTACH PARTITION calls_2026_at; ALTER INDEX a SET (fillfactor = 80);
