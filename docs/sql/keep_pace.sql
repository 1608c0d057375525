-- keep_pace
-- halo_engine/enrollment/surges/pacing.py
-- Parameters: org_id uuid, series_id uuid
UPDATE automations
SET release_at_most=400::INTEGER,
    release_within_seconds=3600::BIGINT
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = :series_id::UUID
  AND (automations.release_at_most IS DISTINCT
       FROM 400::INTEGER
       OR automations.release_within_seconds IS DISTINCT
       FROM 3600::BIGINT);
