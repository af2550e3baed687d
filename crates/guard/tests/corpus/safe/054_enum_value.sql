-- expect: none
ALTER TYPE lead_status ADD VALUE IF NOT EXISTS 'lost' AFTER 'won';
