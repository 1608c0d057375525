-- read_keys_of_series
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid, series_id uuid
SELECT automations.id,
       automations.key
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id IN (:series_id::UUID);
