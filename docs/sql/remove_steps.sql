-- remove_steps
-- halo_engine/series/save.py
-- Parameters: now timestamp with time zone, org_id uuid, series_id uuid
UPDATE automation_steps
SET removed_at=:now::TIMESTAMP WITH TIME ZONE
WHERE automation_steps.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_steps.automation_id = :series_id::UUID
  AND automation_steps.removed_at IS NULL
  AND (automation_steps.key NOT IN ('hello'::VARCHAR,
                                    'opened'::VARCHAR));
