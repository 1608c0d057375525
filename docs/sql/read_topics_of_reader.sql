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
   WHERE subscription_members.org_id = messages.org_id
     AND subscription_members.end_user_id = messages.end_user_id
     AND subscription_members.subscription_id = subscriptions.id) AS joined
FROM messages
JOIN subscriptions ON subscriptions.org_id = messages.org_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  AND ((EXISTS
          (SELECT *
           FROM subscription_members
           WHERE subscription_members.org_id = messages.org_id
             AND subscription_members.end_user_id = messages.end_user_id
             AND subscription_members.subscription_id = subscriptions.id))
       OR (EXISTS
             (SELECT *
              FROM former_members
              WHERE former_members.org_id = messages.org_id
                AND former_members.end_user_id = messages.end_user_id
                AND former_members.subscription_id = subscriptions.id)))
ORDER BY lower(coalesce(subscriptions.name, subscriptions.key)),
         subscriptions.key;
