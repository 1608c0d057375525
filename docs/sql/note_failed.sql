-- note_failed
-- halo_engine/mail/sending/outcomes.py
-- Parameters: mail_state text, error text, org_id uuid, row_id bigint, lease_token uuid
UPDATE messages
SET state=:mail_state::VARCHAR,
    error=:error::VARCHAR
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  AND messages.state IN ('intended',
                         'unknown')
  AND NOT (EXISTS
             (SELECT *
              FROM automation_recipients
              WHERE automation_recipients.org_id = messages.org_id
                AND automation_recipients.id = messages.recipient_id
                AND automation_recipients.lease_token != :lease_token::UUID));
