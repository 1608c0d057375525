-- keep_surge_bound
-- halo_engine/series/surges/automatic.py
-- Parameters: org_id uuid, series_id uuid
UPDATE automations
SET surge_at_most=300::INTEGER
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = :series_id::UUID;
