-- expect: server-wide
ALTER DATABASE crm SET TABLESPACE fast;
