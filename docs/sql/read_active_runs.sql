-- read_active_runs
-- halo_engine/pipeline/batches/trials.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT automation_enrollments.end_user_id,
       automation_enrollments.automation_id,
       automation_enrollments.number
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.end_user_id = ANY (:contact_ids::UUID[])
  AND automation_enrollments.ended_at IS NULL;
