-- read_list_key
-- halo_engine/mail/incoming/links.py
-- Parameters: org_id uuid, list_id uuid
SELECT subscriptions.key
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.id = :list_id::UUID;
