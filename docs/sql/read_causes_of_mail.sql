-- read_causes_of_mail
-- halo_engine/mail/incoming/preferences.py
-- Parameters: org_id uuid, row_id bigint
SELECT suppressions.bounced_at
FROM messages
JOIN suppressions ON suppressions.org_id = messages.org_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  AND suppressions.address = lower(messages.to_address);
