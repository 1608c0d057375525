-- close_period
-- halo_engine/series/lifecycle.py
-- Parameters: now timestamp with time zone, by text, org_id uuid, series_id uuid
UPDATE automation_active_periods
SET ended_at=:now::TIMESTAMP WITH TIME ZONE,
                                       ended_by=:by::VARCHAR
WHERE automation_active_periods.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_active_periods.automation_id = :series_id::UUID
  AND automation_active_periods.ended_at IS NULL;
