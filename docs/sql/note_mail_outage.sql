-- note_mail_outage
-- halo_engine/mail/sending/stops.py
-- Parameters: now timestamp with time zone, error text
INSERT INTO installation (singleton, mail_down_since, mail_down_reason)
VALUES (true, :now::TIMESTAMP WITH TIME ZONE, :error::VARCHAR) ON CONFLICT (singleton) DO
UPDATE
SET mail_down_since = coalesce(installation.mail_down_since, excluded.mail_down_since),
    mail_down_reason = excluded.mail_down_reason;
