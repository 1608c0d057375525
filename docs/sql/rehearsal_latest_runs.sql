-- rehearsal_latest_runs
-- halo_engine/rehearsal/turning_points.py
-- Parameters: org_id uuid, series_id uuid
SELECT max(automation_enrollments.created_at) AS max_1
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
GROUP BY automation_enrollments.end_user_id;
