-- withdraw_intent
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid, row_id bigint, lease_token uuid
DELETE
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  AND messages.state = 'intended'
  AND NOT (EXISTS
             (SELECT *
              FROM automation_recipients
              WHERE automation_recipients.org_id = messages.org_id
                AND automation_recipients.id = messages.recipient_id
                AND automation_recipients.lease_token != :lease_token::UUID));
