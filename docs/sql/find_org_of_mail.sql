-- find_org_of_mail
-- halo_engine/mail/incoming/receive.py
-- Parameters: message_ids text[]
SELECT organizations.id
FROM organizations
JOIN LATERAL
  (SELECT messages.recipient_id AS recipient_id
   FROM messages
   WHERE messages.org_id = organizations.id
     AND messages.message_id = ANY (:message_ids::TEXT[])
   LIMIT 1::INTEGER) AS its ON true
LIMIT 1::INTEGER;
