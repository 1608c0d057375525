-- read_message_id
-- halo_engine/mail/incoming/links.py
-- Parameters: org_id uuid, row_id bigint
SELECT messages.message_id
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT;
