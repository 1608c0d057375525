-- rehearsal_count
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT count(automation_enrollments.id) AS count_1
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID;
