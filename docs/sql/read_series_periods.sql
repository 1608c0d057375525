-- read_series_periods
-- halo_engine/series/catalogue.py
-- Parameters: org_id uuid, series_id uuid
SELECT automation_active_periods.org_id,
       automation_active_periods.automation_id,
       automation_active_periods.started_at,
       automation_active_periods.ended_at,
       automation_active_periods.started_by,
       automation_active_periods.ended_by
FROM automation_active_periods
WHERE automation_active_periods.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_active_periods.automation_id IN (:series_id::UUID);
