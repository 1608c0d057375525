-- reap_confirmations
-- halo_engine/mail/sending/confirmations.py
-- Parameters: org_id uuid, now timestamp with time zone
UPDATE confirmations
SET state='unknown'::VARCHAR
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND confirmations.state = 'intended'::VARCHAR
  AND confirmations.due_at <= :now::TIMESTAMP WITH TIME ZONE;
