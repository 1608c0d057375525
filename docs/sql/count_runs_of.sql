-- count_runs_of
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT automation_enrollments.automation_id,
       count(*) FILTER (
                        WHERE automation_enrollments.ended_at IS NULL) AS active,
       count(*) FILTER (
                        WHERE automation_enrollments.number = 1::INTEGER) AS entered,
       count(automation_enrollments.converted_at) AS converted,
       count(*) FILTER (
                        WHERE automation_enrollments.number > 1::INTEGER
                          AND automation_enrollments.converted_at IS NOT NULL) AS later
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = ANY ('{00000000-0000-0000-0000-000000000007}'::UUID[])
GROUP BY automation_enrollments.automation_id;
