-- expect: none
ALTER TYPE lead_status ADD VALUE 'update' BEFORE 'won';
