-- Keeps leads.last_call_direction true for calls to come; the past is the backfill's.
CREATE FUNCTION track_last_call() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leads SET last_call_direction = NEW.direction WHERE id = NEW.lead_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER track_last_call
    AFTER INSERT ON call_log
    FOR EACH ROW WHEN (NEW.status <> 'failed')
    EXECUTE FUNCTION track_last_call();
