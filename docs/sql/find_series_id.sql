-- find_series_id
-- halo_engine/answers/operations/parked.py
-- Parameters: org_id uuid, series_key text
SELECT automations.id
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key = :series_key::VARCHAR;
