-- find_list
-- halo_engine/answers/reports/preview.py
-- Parameters: org_id uuid, list_key text
SELECT subscriptions.id
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.key = :list_key::VARCHAR;
