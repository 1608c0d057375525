-- read_runs
-- halo_engine/answers/explain/runs.py
-- Parameters: org_id uuid, contact_id uuid, series_id uuid
SELECT automation_enrollments.number,
       automation_enrollments.series_version AS version,
       automation_enrollments.created_at AS began_at,
       automation_enrollments.converted_at,
       automation_enrollments.ended_at,
       automation_enrollments.exit_reason,
       automation_enrollments.event_properties
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.end_user_id = :contact_id::UUID
  AND automation_enrollments.automation_id = :series_id::UUID
ORDER BY automation_enrollments.number DESC;
