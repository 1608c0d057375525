-- count_waiting
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
SELECT count(*) AS count_1
FROM waiting_entries
WHERE waiting_entries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_entries.automation_id = :series_id::UUID
  AND waiting_entries.fired_at >= :now::TIMESTAMP WITH TIME ZONE;
