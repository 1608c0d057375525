-- give_up_mails
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid, row_ids bigint[]
UPDATE messages
SET state='unknown'::VARCHAR
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = ANY (:row_ids::BIGINT[])
  AND messages.state = 'intended'::VARCHAR;
