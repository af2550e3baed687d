-- expect: dml-update
DO LANGUAGE plperl $$ spi_exec_query("UPDATE leads SET a = 1"); $$;
