-- expect: dml-merge
with m as (merge into leads l using s on l.id = s.id when matched then delete returning l.id) select * from m;
