-- find_mails_named
-- halo_engine/mail/incoming/receive.py
-- Parameters: org_id uuid, message_ids text[]
SELECT messages.message_id,
       messages.relay_id,
       messages.recipient_id,
       messages.end_user_id
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.message_id = ANY (:message_ids::TEXT[]);
