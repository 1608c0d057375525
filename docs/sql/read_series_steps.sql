-- read_series_steps
-- halo_engine/series/catalogue.py
-- Parameters: org_id uuid, series_id uuid
SELECT automation_steps.org_id,
       automation_steps.id,
       automation_steps.automation_id,
       automation_steps.key,
       automation_steps.position,
       automation_steps.delay_seconds,
       automation_steps.email,
       automation_steps.condition_type,
       automation_steps.condition_value,
       automation_steps.has_own_window,
       automation_steps.send_window,
       automation_steps.send_by_seconds,
       automation_steps.ignore_caps,
       automation_steps.removed_at
FROM automation_steps
WHERE automation_steps.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_steps.automation_id IN (:series_id::UUID)
ORDER BY automation_steps.position;
