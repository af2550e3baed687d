-- expect: none
CREATE TABLE calendar AS SELECT d::date FROM generate_series('2026-01-01'::date, '2026-12-31', '1 day') d; CREATE TABLE e AS VALUES (1), (2);
