-- expect: none
CREATE TABLE people (first text, last text, full_name text GENERATED ALWAYS AS (first || ' ' || last) STORED, id uuid DEFAULT gen_random_uuid() PRIMARY KEY);
