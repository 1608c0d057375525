-- delete_steps
-- halo_engine/series/deletion.py
-- Parameters: org_id uuid, series_id uuid
DELETE
FROM automation_steps
WHERE automation_steps.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_steps.automation_id = :series_id::UUID;
