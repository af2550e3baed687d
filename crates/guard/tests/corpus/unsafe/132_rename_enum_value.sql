-- expect: rename
ALTER TYPE lead_status RENAME VALUE 'won' TO 'closed';
