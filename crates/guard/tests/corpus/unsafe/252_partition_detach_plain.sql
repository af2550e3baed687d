-- expect: detach-partition
ALTER TABLE IF EXISTS crm.calls DETACH PARTITION crm.calls_2020;
