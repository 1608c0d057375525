-- note_sent
-- halo_engine/mail/sending/outcomes.py
-- Parameters: relay_id text, now timestamp with time zone, org_id uuid, row_id bigint
UPDATE messages
SET state='sent'::VARCHAR,
    relay_id=:relay_id::VARCHAR,
    sent_at=coalesce(:now::TIMESTAMP WITH TIME ZONE, clock_timestamp())
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  AND messages.state IN ('intended',
                         'unknown');
