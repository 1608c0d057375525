-- count_runs_by_end
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid
SELECT automation_enrollments.exit_reason,
       count(*) AS runs
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.series_version = 1::INTEGER
GROUP BY automation_enrollments.exit_reason;
