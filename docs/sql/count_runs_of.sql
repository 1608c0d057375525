-- count_runs_of
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT automation_enrollments.automation_id,
       count(*) FILTER (
                        WHERE automation_enrollments.ended_at IS NULL) AS active,
       count(*) FILTER (
                        WHERE automation_enrollments.number = 1::INTEGER) AS entered,
       count(*) FILTER (
                        WHERE automation_enrollments.converted_at IS NOT NULL
                          AND (automation_enrollments.number = 1::INTEGER
                               OR NOT (EXISTS
                                         (SELECT *
                                          FROM automation_enrollments AS earlier
                                          WHERE earlier.org_id = automation_enrollments.org_id
                                            AND earlier.automation_id = automation_enrollments.automation_id
                                            AND earlier.end_user_id = automation_enrollments.end_user_id
                                            AND earlier.number < automation_enrollments.number
                                            AND earlier.converted_at IS NOT NULL)))) AS converted
FROM automation_enrollments
JOIN unnest('{00000000000000000000000000000007}'::UUID[]) AS anon_1(id) ON automation_enrollments.automation_id = anon_1.id
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
GROUP BY automation_enrollments.automation_id;
