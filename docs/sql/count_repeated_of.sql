-- count_repeated_of
-- Count the runs that converted after an earlier run of their contact had
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT automation_enrollments.automation_id,
       count(*) AS repeated
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = ANY ('{00000000-0000-0000-0000-000000000007}'::UUID[])
  AND automation_enrollments.number > 1::INTEGER
  AND automation_enrollments.converted_at IS NOT NULL
  AND (EXISTS
         (SELECT *
          FROM automation_enrollments AS earlier
          WHERE earlier.org_id = automation_enrollments.org_id
            AND earlier.automation_id = automation_enrollments.automation_id
            AND earlier.end_user_id = automation_enrollments.end_user_id
            AND earlier.number < automation_enrollments.number
            AND earlier.converted_at IS NOT NULL))
GROUP BY automation_enrollments.automation_id;
