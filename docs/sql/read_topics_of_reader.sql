-- read_topics_of_reader
-- halo_engine/contacts/consent/choosing.py
-- Parameters: org_id uuid, row_id bigint
SELECT subscriptions.id,
       subscriptions.key AS list,
       coalesce(subscriptions.name, subscriptions.key) AS name,
       subscriptions.description,
       EXISTS
  (SELECT *
   FROM subscription_members
   WHERE subscription_members.org_id = mail_readers.org_id
     AND subscription_members.end_user_id = mail_readers.end_user_id
     AND subscription_members.subscription_id = subscriptions.id) AS joined
FROM
  (SELECT messages.org_id AS org_id,
          messages.recipient_id AS recipient_id,
          messages.end_user_id AS end_user_id,
          messages.to_address AS to_address
   FROM messages
   UNION ALL SELECT former_mails.org_id AS org_id,
                    former_mails.recipient_id AS recipient_id,
                    former_mails.end_user_id AS end_user_id,
                    former_mails.to_address AS to_address
   FROM former_mails) AS mail_readers
JOIN subscriptions ON subscriptions.org_id = mail_readers.org_id
WHERE mail_readers.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND mail_readers.recipient_id = :row_id::BIGINT
  AND ((EXISTS
          (SELECT *
           FROM subscription_members
           WHERE subscription_members.org_id = mail_readers.org_id
             AND subscription_members.end_user_id = mail_readers.end_user_id
             AND subscription_members.subscription_id = subscriptions.id))
       OR (EXISTS
             (SELECT *
              FROM former_members
              WHERE former_members.org_id = mail_readers.org_id
                AND former_members.end_user_id = mail_readers.end_user_id
                AND former_members.subscription_id = subscriptions.id)))
ORDER BY lower(coalesce(subscriptions.name, subscriptions.key)),
         subscriptions.key;
