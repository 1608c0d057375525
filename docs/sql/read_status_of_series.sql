-- read_status_of_series
-- halo_engine/doors/trails.py
-- Parameters: org_id uuid, series_key text
SELECT automations.status
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key = :series_key::VARCHAR;
