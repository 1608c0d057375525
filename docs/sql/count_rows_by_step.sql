-- count_rows_by_step
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid
SELECT automation_recipients.step_id,
       automation_recipients.status,
       count(*) AS count_1
FROM automation_recipients
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND (EXISTS
         (SELECT *
          FROM automation_enrollments
          WHERE automation_enrollments.org_id = automation_recipients.org_id
            AND automation_enrollments.automation_id = automation_recipients.automation_id
            AND automation_enrollments.end_user_id = automation_recipients.end_user_id
            AND automation_enrollments.number = automation_recipients.enrollment_number
            AND automation_enrollments.series_version = 1::INTEGER))
GROUP BY automation_recipients.step_id,
         automation_recipients.status
ORDER BY automation_recipients.status;
