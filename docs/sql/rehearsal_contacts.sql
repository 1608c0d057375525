-- rehearsal_contacts
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT DISTINCT coalesce(end_users.external_id, end_users.email) AS coalesce_1
FROM automation_enrollments
JOIN end_users ON end_users.org_id = automation_enrollments.org_id
AND end_users.id = automation_enrollments.end_user_id
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.ended_at IS NULL;
