-- read_pending_lists_of_contact
-- halo_engine/answers/reports/profile.py
-- Parameters: org_id uuid, contact_id uuid
SELECT subscriptions.key
FROM pending_members
JOIN subscriptions ON subscriptions.org_id = pending_members.org_id
AND subscriptions.id = pending_members.subscription_id
WHERE pending_members.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND pending_members.end_user_id = :contact_id::UUID
  AND pending_members.asked_at > '2025-12-25 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
ORDER BY subscriptions.key;
