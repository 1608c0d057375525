-- read_pace
-- halo_engine/enrollment/surges/pacing.py
-- Parameters: org_id uuid, series_id uuid
SELECT automations.release_at_most,
       automations.release_within_seconds
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = :series_id::UUID;
