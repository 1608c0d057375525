-- stamp_contacted
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid, row_ids bigint[]
UPDATE end_users
SET last_contacted_at=greatest(end_users.last_contacted_at, latest.sent_at)
FROM
  (SELECT messages.end_user_id AS end_user_id,
          max(messages.sent_at) AS sent_at
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND messages.recipient_id = ANY (:row_ids::BIGINT[])
     AND messages.state = 'sent'::VARCHAR
   GROUP BY messages.end_user_id) AS latest
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND end_users.id = latest.end_user_id;
