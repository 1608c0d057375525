-- find_list_of_series
-- halo_engine/series/save.py
-- Parameters: org_id uuid, list_key text
SELECT subscriptions.id
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.key = :list_key::VARCHAR;
