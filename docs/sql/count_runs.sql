-- count_runs
-- halo_engine/answers/operations/progress.py
-- Parameters: org_id uuid, series_id uuid
SELECT count(*) AS count_1
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID;
