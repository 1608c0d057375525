-- stop_all_sending
-- halo_engine/mail/sending/stops.py
-- Parameters: by text
INSERT INTO installation (singleton, sending_stopped_at, sending_stopped_by)
VALUES (true, now(), :by::VARCHAR) ON CONFLICT (singleton) DO
UPDATE
SET sending_stopped_at = now(),
    sending_stopped_by = :by::VARCHAR
WHERE installation.sending_stopped_at IS NULL;
