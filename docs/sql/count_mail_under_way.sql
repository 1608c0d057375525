-- count_mail_under_way
-- halo_engine/moving/mail.py
-- Parameters: org_id uuid
SELECT
  (SELECT count(*) AS count_1
   FROM organizations
   WHERE organizations.id = :org_id::UUID
     AND organizations.sending_stopped_at IS NULL
     AND NOT (EXISTS
                (SELECT *
                 FROM installation
                 WHERE installation.sending_stopped_at IS NOT NULL))) +
  (SELECT count(*) AS count_2
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_recipients.status = 'processing'
     AND automation_recipients.lease_expires_at > clock_timestamp()) +
  (SELECT count(*) AS count_3
   FROM confirmations
   WHERE confirmations.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND confirmations.state = 'intended'::VARCHAR
     AND confirmations.due_at > clock_timestamp()) +
  (SELECT count(*) AS count_4
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND messages.state = 'intended'
     AND messages.intended_at > clock_timestamp() - INTERVAL '0 days 600 seconds'
     AND NOT (EXISTS
                (SELECT *
                 FROM automation_recipients
                 WHERE automation_recipients.org_id = messages.org_id
                   AND automation_recipients.id = messages.recipient_id
                   AND automation_recipients.status IN ('pending',
                                                        'processing')))) AS anon_1;
