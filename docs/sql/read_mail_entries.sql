-- read_mail_entries
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid, row_ids bigint[]
SELECT messages.recipient_id,
       messages.state,
       messages.error
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = ANY (:row_ids::BIGINT[]);
