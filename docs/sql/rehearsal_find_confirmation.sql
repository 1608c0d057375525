-- rehearsal_find_confirmation
-- halo_engine/rehearsal/actions/confirming.py
-- Parameters: org_id uuid, list_key text, contact_id uuid
SELECT confirmations.id
FROM confirmations,
     subscriptions,
     end_users
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.org_id = confirmations.org_id
  AND subscriptions.id = confirmations.subscription_id
  AND subscriptions.key = :list_key::VARCHAR
  AND end_users.org_id = confirmations.org_id
  AND end_users.id = :contact_id::UUID
  AND end_users.address = confirmations.address
ORDER BY confirmations.id DESC
LIMIT 1::INTEGER;
