-- read_lists_of_contact
-- halo_engine/answers/reports/profile.py
-- Parameters: org_id uuid, contact_id uuid
SELECT subscriptions.key
FROM subscription_members
JOIN subscriptions ON subscriptions.org_id = subscription_members.org_id
AND subscriptions.id = subscription_members.subscription_id
WHERE subscription_members.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscription_members.end_user_id = :contact_id::UUID
ORDER BY subscriptions.key;
