-- read_opened_mails
-- halo_engine/mail/incoming/followed.py
-- Parameters: org_id uuid
SELECT messages.recipient_id,
       messages.message_id,
       messages.sent_at
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = ANY ('{1}'::BIGINT[]);
