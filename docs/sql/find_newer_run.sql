-- find_newer_run
-- halo_engine/journey/removal.py
-- Parameters: org_id uuid, series_id uuid, contact_id uuid, sent_at timestamp with time zone
SELECT automation_enrollments.created_at
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.end_user_id = :contact_id::UUID
  AND automation_enrollments.ended_at IS NULL
  AND automation_enrollments.created_at > :sent_at::TIMESTAMP WITH TIME ZONE;
