-- rehearsal_exits
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT DISTINCT ON (automation_enrollments.end_user_id) automation_enrollments.end_user_id,
                   automation_enrollments.exit_reason,
                   coalesce(end_users.external_id, end_users.email) AS name
FROM automation_enrollments
JOIN end_users ON end_users.org_id = automation_enrollments.org_id
AND end_users.id = automation_enrollments.end_user_id
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
ORDER BY automation_enrollments.end_user_id,
         automation_enrollments.number DESC;
