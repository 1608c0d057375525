-- list_lists
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid, list_key text
SELECT subscriptions.key AS list,
       subscriptions.name,
       subscriptions.description,
       subscriptions.is_default AS "default",
       subscriptions.double_opt_in,

  (SELECT count(*) AS count_1
   FROM subscription_members
   WHERE subscription_members.org_id = subscriptions.org_id
     AND subscription_members.subscription_id = subscriptions.id) AS subscribers,

  (SELECT count(*) AS count_2
   FROM pending_members
   WHERE pending_members.org_id = subscriptions.org_id
     AND pending_members.subscription_id = subscriptions.id
     AND pending_members.asked_at > '2025-12-25 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) AS pending
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.key = :list_key::VARCHAR
ORDER BY subscriptions.key;
