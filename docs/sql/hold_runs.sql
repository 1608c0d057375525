-- hold_runs
-- halo_engine/journey/claim.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT automation_enrollments.end_user_id,
       automation_enrollments.automation_id,
       automation_enrollments.number,
       automation_enrollments.ended_at IS NULL AS is_active
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.end_user_id = ANY (:contact_ids::UUID[])
ORDER BY automation_enrollments.end_user_id,
         automation_enrollments.automation_id,
         automation_enrollments.number
FOR
UPDATE;
