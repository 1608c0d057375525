-- give_up_abandoned
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid
UPDATE messages
SET state='unknown'::VARCHAR
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.state = 'intended'
  AND NOT (EXISTS
             (SELECT *
              FROM automation_recipients
              WHERE automation_recipients.org_id = messages.org_id
                AND automation_recipients.id = messages.recipient_id
                AND automation_recipients.status IN ('pending',
                                                     'processing')));
