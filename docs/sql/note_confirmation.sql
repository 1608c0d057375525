-- note_confirmation
-- halo_engine/mail/sending/confirmations.py
-- Parameters: now timestamp with time zone, org_id uuid, row_id bigint
UPDATE confirmations
SET state='sent'::VARCHAR,
    due_at=confirmations.due_at,
    attempts=(confirmations.attempts - 0::INTEGER),
    sent_at=:now::TIMESTAMP WITH TIME ZONE,
                                      error=NULL::VARCHAR
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND confirmations.id = :row_id::BIGINT
  AND confirmations.state IN ('waiting'::VARCHAR,
                              'intended'::VARCHAR);
