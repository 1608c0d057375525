-- count_enrolled
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid
SELECT count(DISTINCT automation_enrollments.end_user_id) AS count_1,
       count(DISTINCT automation_enrollments.end_user_id) FILTER (
                                                                  WHERE automation_enrollments.converted_at IS NOT NULL) AS anon_1
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.series_version = 1::INTEGER;
